"""`keyturn dry-run`: everything of a rollback but the write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.running import run
from bot.cli.telling import DONE, NO, say, say_json
from bot.errors import UnknownApp, UnknownVersion

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.domain.rehearsal import Rehearsal
    from store.records import AppEnv


def dry_run(
    app: Annotated[
        str, typer.Argument(metavar="APP@ENV", help="The app.", autocompletion=complete_app)
    ],
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Where to go: a number or a tag.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Do everything of a rollback but the write.

    It says what that would meet. Ends with 1 when something would refuse it, or a model, tool or
    knowledge base that the version needs is missing there; what could not be looked up is said
    and is no reason to.
    """
    from bot import log
    from bot.config.load import from_process
    from bot.domain import rehearsal_told
    from bot.domain.rehearsal import Verdict

    log.configure(level="ERROR")
    settings, where = from_process(), app_env(app)
    try:
        made = run(_play(settings, where, version))
    except (UnknownApp, UnknownVersion) as error:
        end_unknown(error)
    if as_json:
        say_json(rehearsal_told.as_json(made))
    else:
        say(f"{made.where}: version {made.live.number} is live; to {made.candidate.number}:")
        for line in rehearsal_told.lines(made):
            say(line)
    raise SystemExit(NO if made.verdict in {Verdict.BLOCKS, Verdict.MISSING} else DONE)


async def _play(settings: Settings, where: AppEnv, version: str) -> Rehearsal:
    from bot.opening import desk, rules_of
    from bot.services import history

    async with desk(settings) as at:
        rehearse = at.rehearse(where, rules_of(settings))
        if version.isascii() and version.isdigit():
            return await rehearse(where, int(version))
        found = await history.find(at.store, where, version)
        return await rehearse(where, found.number or 0)
