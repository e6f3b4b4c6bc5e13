"""`keyturn tag`: names for versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.running import run
from bot.cli.telling import WRONG_USE, end, say, say_json, screen
from bot.errors import UnknownApp, UnknownTag, UnknownVersion

if TYPE_CHECKING:
    from bot.services.tagging import Moved, Standing
    from store.records import AppEnv, AuditDraft, Json


def tag(
    app: Annotated[
        str,
        typer.Argument(metavar="APP@ENV", help="Whose version.", autocompletion=complete_app),
    ],
    version: Annotated[
        str | None,
        typer.Argument(help="A number, `live`, or another tag. Default: list the tags."),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="The tag.")] = None,
    delete: Annotated[
        str | None, typer.Option("--delete", metavar="NAME", help="Take this tag away.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON value.")] = False,
) -> None:
    """Give a version a name, move a name, or list them.

    Every move is in the audit trail. A tag that the policy of the environment protects is moved
    by its reviewers in Slack, not here.
    """
    where = app_env(app)
    if delete is not None and version is None:
        _delete(where, _allowed(where, delete, f"untag {where}"), as_json=as_json)
    elif version is not None and name is not None and delete is None:
        allowed = _allowed(where, name, f"tag {where} {version}")
        _move(where, version, allowed, as_json=as_json)
    elif version is None and delete is None:
        _list(where, as_json=as_json)
    else:
        end(
            WRONG_USE,
            "say APP@ENV VERSION NAME to give a name, APP@ENV --delete NAME to take one away, "
            "or APP@ENV alone to list them",
        )


def _allowed(where: AppEnv, said: str, in_slack: str) -> str:
    """The name of the tag; the command ends when it is none, or protected.

    *in_slack* is how a reviewer asks for the same, up to the name.
    """
    from bot.config.load import from_process
    from bot.domain.tagging import RULE, is_tag

    name = said.lower()
    if not is_tag(name):
        end(WRONG_USE, f"{said!r} cannot be a tag: {RULE}")
    rules = from_process().policies.get(where.env)
    if rules is not None and name in rules.protected_tags:
        end(
            WRONG_USE,
            f"the tag {name} is protected in {where.env}: one of its reviewers moves it, in Slack, "
            f"with /rollback {in_slack} {name}",
        )
    return name


def _list(where: AppEnv, *, as_json: bool) -> None:
    from bot.cli.database import existing_database

    try:
        found = run(_standing(existing_database(), where))
    except UnknownApp as error:
        end_unknown(error)
    if as_json:
        say_json([_as_json(one) for one in found])
    elif found:
        _show(found)
    else:
        say(f"{where} has no tags; `keyturn tag {where} VERSION NAME` gives a version a name")


def _move(where: AppEnv, version: str, name: str, *, as_json: bool) -> None:
    from bot.cli.database import existing_database

    try:
        moved = run(_put(existing_database(), where, version, name))
    except (UnknownApp, UnknownVersion) as error:
        end_unknown(error)
    if as_json:
        say_json({"tag": name, "number": moved.number, "was": moved.was or None})
    elif not moved.anew:
        say(f"{name} stands on version {moved.number} of {where} already")
    elif moved.was:
        say(f"{name} moved from version {moved.was} to version {moved.number} of {where}")
    else:
        say(f"{name} stands on version {moved.number} of {where} now")


def _delete(where: AppEnv, name: str, *, as_json: bool) -> None:
    from bot.cli.database import existing_database

    try:
        number = run(_take_away(existing_database(), where, name))
    except UnknownTag as error:
        nearest = f" Did you mean {error.nearest}?" if error.nearest else ""
        end(WRONG_USE, f"{where} has no tag {name}.{nearest}")
    if as_json:
        say_json({"tag": name, "number": None, "was": number})
    else:
        say(f"{name} is gone; it stood on version {number} of {where}")


async def _standing(url: str, where: AppEnv) -> list[Standing]:
    from bot.opening import opened
    from bot.services import history, tagging

    async with opened(url) as store:
        await history.find(store, where, "live")
        return await tagging.standing(store, where)


async def _put(url: str, where: AppEnv, asked: str, name: str) -> Moved:
    from bot.opening import opened
    from bot.services import history, tagging

    async with opened(url) as store:
        version = await history.find(store, where, asked)
        async with store.write() as tx:
            return await tagging.move(tx, version, name, _entry("tag.move", where))


async def _take_away(url: str, where: AppEnv, name: str) -> int:
    from bot.opening import opened
    from bot.services import tagging

    async with opened(url) as store, store.write() as tx:
        return await tagging.take_away(tx, where, name, _entry("tag.remove", where))


def _entry(action: str, where: AppEnv) -> Callable[[Mapping[str, Json]], AuditDraft]:
    from bot.services.tagging import OPERATOR
    from store.records import AuditDraft

    def entry(facts: Mapping[str, Json]) -> AuditDraft:
        return AuditDraft(
            user_id=OPERATOR,
            action=action,
            resource=f"app/{where}",
            status="ok",
            what={"app": str(where), **facts},
            ip_note="the command line",
        )

    return entry


def _show(found: list[Standing]) -> None:
    from rich.table import Table

    from bot.textsafe import one_line

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("tag", no_wrap=True)
    table.add_column("#", justify="right")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("by", max_width=20)
    for one in found:
        since = f"{one.tag.since:%Y-%m-%d %H:%M}"
        table.add_row(one.tag.name, str(one.number), since, one_line(one.tag.user_id, 40))
    screen().print(table)


def _as_json(one: Standing) -> Json:
    return {
        "tag": one.tag.name,
        "number": one.number,
        "since": one.tag.since.isoformat(),
        "by": one.tag.user_id,
    }
