"""`keyturn drafts`: what editors worked on and did not publish, as it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.numbers import whole
from bot.cli.running import run
from bot.cli.telling import remark, say_json, screen
from bot.errors import UnknownApp

if TYPE_CHECKING:
    from bot.services.history import ToldDraft
    from store.records import AppEnv, Json


def drafts(
    app: Annotated[
        str,
        typer.Argument(metavar="APP@ENV", help="Whose drafts.", autocompletion=complete_app),
    ],
    limit: Annotated[
        int,
        typer.Option(
            "--limit", "-n", parser=whole(1, 1000), metavar="NUMBER", help="How many drafts."
        ),
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the drafts that were stored, the one last seen first.

    `changes` are counted against what is live now. `keyturn export APP@ENV --stored ROW` writes
    one out.
    """
    from bot.cli.database import existing_database

    where = app_env(app)
    try:
        told = run(_read(existing_database(), where, limit))
    except UnknownApp as error:
        end_unknown(error)
    if as_json:
        say_json([_as_json(one) for one in told])
    elif told:
        _show(told)
    else:
        remark(f"no draft of {where} is stored: none was seen that differs from what was live")


async def _read(url: str, where: AppEnv, limit: int) -> list[ToldDraft]:
    from bot.opening import opened
    from bot.services.history import drafts_of

    async with opened(url) as store:
        return await drafts_of(store, where, limit=limit)


def _show(told: list[ToldDraft]) -> None:
    from rich.table import Table

    from bot.textsafe import one_line

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("row", justify="right")
    table.add_column("saved (UTC)", no_wrap=True)
    table.add_column("last seen (UTC)", no_wrap=True)
    table.add_column("by", max_width=20)
    table.add_column("changes", overflow="fold")
    for one in told:
        draft = one.version
        table.add_row(
            str(draft.id),
            f"{draft.published_at:%Y-%m-%d %H:%M}",
            f"{draft.recorded_at:%Y-%m-%d %H:%M}",
            one_line(draft.author, 200),
            ", ".join(f"{kind} {n}" for kind, n in one.counts.items()) or "none that matter",
        )
    screen().print(table)


def _as_json(one: ToldDraft) -> Json:
    draft = one.version
    return {
        "row": draft.id,
        "saved_at": draft.published_at.isoformat(),
        "seen_at": draft.recorded_at.isoformat(),
        "author": draft.author,
        "root": draft.root,
        "meaning": draft.meaning,
        "changes": dict(one.counts),
    }
