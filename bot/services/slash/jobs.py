"""`/rollback jobs`: what runs by the clock, how it fared, and what is paused by whom."""

from __future__ import annotations

from bot.domain import schedule
from bot.domain.words import AnswerCode
from bot.ports.store import Store
from bot.services.home.jobs import facts
from bot.services.slash.told import Told
from store.records import Json


async def jobs(store: Store) -> Told:
    """Return one row a job, as all processes know it."""
    async with store.read() as tx:
        at, states = await tx.now(), await tx.schedule.all()
    rows: list[Json] = [facts(row) for row in schedule.shown(states.values(), at=at)]
    return Told(AnswerCode.JOBS, {"rows": rows})
