"""`keyturn log`: the history of one app, newest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.numbers import whole
from bot.cli.running import run
from bot.cli.telling import remark, say_json, screen
from bot.errors import UnknownApp

if TYPE_CHECKING:
    from rich.text import Text

    from bot.services.history import Told
    from store.records import AppEnv, Json, Search

_AGES = (
    (timedelta(minutes=1), "s"),
    (timedelta(hours=1), "min"),
    (timedelta(days=1), "h"),
    (timedelta(days=10_000), "d"),
)
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def log(
    app: Annotated[
        str,
        typer.Argument(metavar="APP@ENV", help="Whose history.", autocompletion=complete_app),
    ],
    limit: Annotated[
        int,
        typer.Option(
            "--limit", "-n", parser=whole(1, 1000), metavar="NUMBER", help="How many versions."
        ),
    ] = 20,
    before: Annotated[
        int | None,
        typer.Option(parser=whole(1), metavar="NUMBER", help="Only versions below this number."),
    ] = None,
    text: Annotated[
        str, typer.Option("--search", "-s", metavar="TEXT", help="In the name or the comment.")
    ] = "",
    author: Annotated[
        str, typer.Option(metavar="TEXT", help="In the name of who published it.")
    ] = "",
    tag: Annotated[str, typer.Option(metavar="NAME", help="Only the version with this tag.")] = "",
    since: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, metavar="TIME", help="Published then or later, UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, metavar="TIME", help="Published before then, UTC."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Show an app's stored versions, and what came with each.

    The newest first. `live` is as of the last snapshot; `changes` are counted against the version
    before. What is not imported yet is counted on stderr.
    """
    from bot.cli.database import existing_database
    from store.records import Search

    where = app_env(app)
    search = Search(text, author, tag.lower(), _utc(since), _utc(until))
    try:
        told, now, missing = run(_read(existing_database(), where, limit, before, search))
    except UnknownApp as error:
        end_unknown(error)
    if as_json:
        say_json([_as_json(one) for one in told])
    elif not told and not search.everything:
        remark(f"no version of {where} is like that")
    else:
        _show(told, now)
    if missing:
        remark(f"{missing} older {'ones are' if missing > 1 else 'one is'} not imported yet")


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None else None


async def _read(
    url: str, where: AppEnv, limit: int, before: int | None, search: Search
) -> tuple[list[Told], datetime, int]:
    """The history, now, and how many versions are older than what is stored."""
    from bot.opening import opened
    from bot.services.history import history

    async with opened(url) as store:
        told = await history(store, where, limit=limit, before=before, search=search)
        async with store.read() as tx:
            oldest = await tx.versions.import_mark(where)
            return told, await tx.now(), (oldest or 1) - 1


def _show(told: list[Told], now: datetime) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("published (UTC)", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("by", max_width=20)
    table.add_column("note", overflow="fold", ratio=None)
    table.add_column("changes", overflow="fold")
    for one in told:
        version = one.version
        table.add_row(
            Text(str(version.number), style="bold green" if one.live else ""),
            f"{version.published_at:%Y-%m-%d %H:%M}",
            age(now - version.published_at),
            _clean(version.author),
            _note(one),
            _changes(one),
        )
    screen().print(table)


def _note(one: Told) -> Text:
    """The marks first: what is live, what we brought back, what is not to come back."""
    from rich.text import Text

    from store.records import VersionSource

    marks: list[str | tuple[str, str]] = []
    if one.live:
        marks.append(("live", "bold green"))
    if one.rollback_id is not None:
        to = f" to {one.back_to}" if one.back_to else ""
        what = "drill, rollback" if one.drill else "rollback"
        marks.append((f"{what} {one.rollback_id}{to}", "yellow"))
    if one.condemned:
        marks.append(("condemned", "red"))
    if one.version.source is VersionSource.DRIFT:
        marks.append(("not published", "yellow"))
    marks += [(tag, "cyan") for tag in one.tags]
    ours = one.rollback_id is not None
    version = one.version
    said = [] if ours else [version.external_name, version.external_comment]
    words = [_clean(text) for text in said if text]
    return Text(" · ").join([Text.assemble(mark) for mark in marks] + [Text(w) for w in words])


def _changes(one: Told) -> str:
    if one.counts is None:
        return "oldest stored" if (one.version.number or 1) > 1 else "first"
    return ", ".join(f"{kind} {n}" for kind, n in one.counts.items()) or "none that matter"


def _clean(text: str) -> str:
    from bot.textsafe import one_line

    return one_line(text, 200)


def age(span: timedelta) -> str:
    """How long ago, in one unit: `12 s`, `4 min`, `7 h`, `21 d`."""
    unit = next((name for limit, name in _AGES if span < limit), "d")
    return f"{max(int(span.total_seconds()), 0) // _UNITS[unit]} {unit}"


def _as_json(one: Told) -> Json:
    version = one.version
    return {
        "number": version.number,
        "live": one.live,
        "published_at": version.published_at.isoformat(),
        "recorded_at": version.recorded_at.isoformat(),
        "author": version.author,
        "name": version.external_name,
        "comment": version.external_comment,
        "source": version.source.value,
        "external_id": version.external_id,
        "root": version.root,
        "meaning": version.meaning,
        "changes": None if one.counts is None else dict(one.counts),
        "condemned": one.condemned,
        "rollback": one.rollback_id,
        "back_to": one.back_to,
        "drill": one.drill,
        "tags": [*one.tags],
    }
