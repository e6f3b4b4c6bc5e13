"""`keyturn verify`: every stored version read back and compared with its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import NO, end, say, say_json
from bot.errors import UnknownApp

if TYPE_CHECKING:
    from bot.services.verify import Verified
    from store.records import AppEnv


def verify(
    apps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[APP@ENV …]", help="Default: all.", autocompletion=complete_app),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Read every stored version back and compare it with its root.

    Exit code 1 when one is damaged: its name, the part that is wrong, and what to do.
    """
    from bot.cli.database import existing_database
    from bot.textsafe import one_line

    places = [app_env(app) for app in apps or ()]
    try:
        found = run(_read(existing_database(), places))
    except UnknownApp as error:
        end_unknown(error)
    damaged = [one for one in found if one.damage]
    if as_json:
        say_json({"checked": len(found), "damaged": [_told(one) for one in damaged]})
        raise SystemExit(NO if damaged else 0)
    if damaged:
        lines = (f"{_name(one)}: {one_line(one.damage, 400)}" for one in damaged)
        end(
            NO,
            f"{len(damaged)} of {len(found)} stored versions are damaged; put a backup in place "
            "(docs/upgrade.md), and look at the disk:",
            *lines,
        )
    say(f"all {len(found)} stored versions are whole")


async def _read(url: str, places: list[AppEnv]) -> list[Verified]:
    from bot.opening import opened
    from bot.services.history import find
    from bot.services.verify import verified

    found: list[Verified] = []
    async with opened(url) as store:
        for where in places:
            await find(store, where, "live")  # so that a name that is not known is told
        with progress("verifying", None) as advance:
            everywhere: list[AppEnv | None] = [None]
            for place in places or everywhere:
                async for one in verified(store, place):
                    found.append(one)
                    advance(len(found), _name(one))
    return found


def _name(one: Verified) -> str:
    version = one.version
    if version.number is None:
        return f"draft {version.id} of {version.where}"
    return f"{version.where} {version.number}"


def _told(one: Verified) -> dict[str, object]:
    version = one.version
    return {
        "app": str(version.where),
        "number": version.number,
        "id": version.id,
        "root": version.root,
        "damage": one.damage,
    }
