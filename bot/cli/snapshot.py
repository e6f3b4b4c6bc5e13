"""`keyturn snapshot`: read the targets now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, end, remark, say, say_json
from bot.errors import BotError, UnknownApp

if TYPE_CHECKING:
    from bot.cli.progress import Advance
    from bot.config.settings import Settings
    from bot.opening import Desk
    from store.records import AppEnv, Json, Version


@dataclass
class _Outcome:
    """What came of one app; `why` is empty when it was read."""

    where: AppEnv
    new: list[Version] = field(default_factory=list)
    newest: int | None = None
    older: int = 0  # versions before the oldest that is stored
    code: str = ""
    why: str = ""


def snapshot(
    apps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[APP@ENV]...", help="Default: every app.", autocompletion=complete_app
        ),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--history", help="Import all older versions too, now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Take snapshots now, and say what is new.

    The first snapshot of an app imports its newest 20 versions; `keyturn serve` imports the rest
    in the background, `--history` at once.
    """
    from bot import log
    from bot.config.load import from_process

    log.configure(level="ERROR")
    settings = from_process()
    wanted = [app_env(app) for app in apps or ()]
    if not settings.places:
        end(WRONG_USE, "keyturn.toml names no app; `keyturn discover` writes the tables")
    try:
        outcomes = run(_take(settings, wanted, whole=whole))
    except UnknownApp as error:
        end_unknown(error)
    if as_json:
        say_json([_as_json(outcome) for outcome in outcomes])
    else:
        _tell(outcomes)
    raise SystemExit(NO if any(outcome.why for outcome in outcomes) else DONE)


async def _take(settings: Settings, wanted: list[AppEnv], *, whole: bool) -> list[_Outcome]:
    from bot.opening import desk

    async with desk(settings) as at:
        for where in wanted:
            at.places.of(where)
        chosen = wanted or list(at.places.all())
        outcomes = []
        with progress("reading", len(chosen)) as advance:
            for done, where in enumerate(chosen):
                advance(done, str(where))
                outcomes.append(await _one(at, where))
        if whole:
            for outcome in outcomes:
                await _older(at, outcome)
        return outcomes


async def _one(at: Desk, where: AppEnv) -> _Outcome:
    outcome = _Outcome(where)
    try:
        outcome.new = await at.closer(where).read(where)
    except BotError as error:
        outcome.code, outcome.why = error.code, str(error)
    async with at.store.read() as tx:
        newest = await tx.versions.newest(where)
        lowest = await tx.versions.import_mark(where)
    outcome.newest = newest.number if newest else None
    outcome.older = (lowest or 1) - 1
    return outcome


async def _older(at: Desk, outcome: _Outcome) -> None:
    """Import what is older than what is stored, a batch at a time."""
    total = outcome.older
    if not total or outcome.why:
        return
    backfill = at.snapshot(outcome.where).backfill
    with progress(f"history of {outcome.where}", total) as advance:
        try:
            while await backfill():
                await _count_older(at, outcome, advance, total)
        except BotError as error:
            outcome.code, outcome.why = error.code, str(error)


async def _count_older(at: Desk, outcome: _Outcome, advance: Advance, total: int) -> None:
    async with at.store.read() as tx:
        lowest = await tx.versions.import_mark(outcome.where)
    outcome.older = (lowest or 1) - 1
    advance(total - outcome.older, "")


def _tell(outcomes: list[_Outcome]) -> None:
    width = max(len(str(outcome.where)) for outcome in outcomes)
    for outcome in outcomes:
        if not outcome.why:
            say(f"{outcome.where!s:<{width}}  {_new(outcome)}")
    for outcome in outcomes:
        if outcome.why:
            remark(f"{outcome.where} was not read: {outcome.why}")


def _new(outcome: _Outcome) -> str:
    if outcome.newest is None:
        return "nothing is published yet"
    numbers = [version.number or 0 for version in outcome.new]
    if not numbers:
        said = f"nothing new; version {outcome.newest} is live"
    elif len(numbers) == 1:
        said = f"new: version {numbers[0]}"
    else:
        said = f"new: versions {min(numbers)} to {max(numbers)}"
    return said + (f"; {outcome.older} older ones are not imported yet" if outcome.older else "")


def _as_json(outcome: _Outcome) -> Json:
    return {
        "app": str(outcome.where),
        "ok": not outcome.why,
        "new": [version.number for version in outcome.new],
        "newest": outcome.newest,
        "not_imported": outcome.older,
        "error": outcome.code,
        "why": outcome.why,
    }
