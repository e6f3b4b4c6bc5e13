"""`/rollback dry-run`: everything of a rollback but the write, told to one person."""

from __future__ import annotations

from typing import Protocol

from bot.domain import rehearsal_told
from bot.domain.commands import DryRun
from bot.domain.rehearsal import Rehearsal
from bot.domain.words import AnswerCode
from bot.ports.store import Store
from bot.services import history
from bot.services.slash.told import Told
from store.records import AppEnv


class Rehearsing(Protocol):
    """Plays a rollback through without writing."""

    async def __call__(self, where: AppEnv, number: int) -> Rehearsal: ...


async def dry_run(store: Store, rehearse: Rehearsing, asked: DryRun) -> Told:
    """Return what a rollback would do and meet; nothing is opened.

    Raises:
        UnknownApp, NothingStored, UnknownVersion, UnknownTag, UpstreamDown, UpstreamRefused.
    """
    number = asked.version
    if isinstance(number, str):
        await history.span(store, asked.where)
        number = (await history.find(store, asked.where, number)).number or 0
    made = await rehearse(asked.where, number)
    return Told(
        AnswerCode.DRY_RUN,
        {
            "where": str(made.where),
            "number": made.candidate.number,
            "live": made.live.number,
            "verdict": made.verdict.value,
            "told": [dict(part) for part in rehearsal_told.parts(made)],
            "lines": rehearsal_told.lines(made),
        },
    )
