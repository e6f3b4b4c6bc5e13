"""`/rollback jobs`: what runs by the clock, how it fared, and what is paused by whom."""

from __future__ import annotations

from bot.domain import schedule
from bot.domain.words import AnswerCode
from bot.ports.store import Store
from bot.services.asker import Asker
from bot.services.home.jobs import Managers, facts
from bot.services.sight import Sight
from bot.services.slash.told import Told
from store.records import Json


class Timetable:
    """Tells of the jobs to those whom App Home shows them: who sees an app, or manages jobs."""

    def __init__(self, store: Store, sight: Sight, managers: Managers) -> None:
        self._store = store
        self._sight = sight
        self._managers = managers

    async def __call__(self, asker: Asker) -> Told:
        """Return one row a job, as all processes know it; none for who may see nothing.

        Raises:
            NotEligible: They may do nothing here.
            UpstreamDown: Slack cannot say who they are.
        """
        sees = bool(await self._sight.all(asker)) or await self._managers.include(asker)
        async with self._store.read() as tx:
            at, states = await tx.now(), await tx.schedule.all()
        shown = schedule.shown(states.values(), at=at) if sees else ()
        rows: list[Json] = [facts(row) for row in shown]
        return Told(AnswerCode.JOBS, {"rows": rows})
