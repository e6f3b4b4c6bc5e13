"""`/rollback snapshot`: read the targets now, because a person asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from bot.domain.words import AnswerCode
from bot.errors import BotError, UpstreamDown
from bot.ports.store import Store
from bot.services.hearing import Hearing, Matter
from store.records import AppEnv, Json, Version

AT_ONCE = 4  # apps that are read at the same time

Refresh = Callable[[AppEnv], Awaitable[Sequence[Version]]]


class _Was(StrEnum):
    """What came of reading one app."""

    READ = "read"
    DOWN = "down"
    REFUSED = "refused"
    LATE = "late"
    NOT_WATCHED = "not_watched"


@dataclass(frozen=True)
class _Outcome:
    where: AppEnv
    was: _Was
    new: Sequence[int] = field(default=())
    text: str = ""


class Takes:
    """Takes snapshots for people."""

    def __init__(
        self,
        store: Store,
        refresh: Refresh,
        *,
        watched: Collection[AppEnv],
        within: timedelta,
    ) -> None:
        """Take what is *watched*; what is not read *within* that time is left to the clock."""
        self._store = store
        self._refresh = refresh
        self._watched = watched
        self._within_s = within.total_seconds()

    async def __call__(self, hearing: Hearing, places: Sequence[AppEnv], matter: Matter) -> None:
        """Say that it has begun, read every one of *places*, and say what came of each.

        The request is recorded before anything is read. A place that cannot be read holds up no
        other.
        """
        await self._begin(hearing, places, matter)
        rows = [await self._row(outcome) for outcome in await self._read(hearing, places)]
        async with self._store.write() as tx:
            await hearing.answer(tx, AnswerCode.SNAPSHOT, {"rows": rows})
            await hearing.finish(tx, "snapshot")

    async def _begin(self, hearing: Hearing, places: Sequence[AppEnv], matter: Matter) -> None:
        facts = {"where": str(places[0]) if len(places) == 1 else "", "count": len(places)}
        if not places:
            return
        async with self._store.write() as tx:
            if await hearing.answer(tx, AnswerCode.SNAPSHOT_BEGUN, facts, part="begun"):
                await tx.audit.append(hearing.entry(matter, "ok", apps=[*map(str, places)]))

    async def _read(self, hearing: Hearing, places: Sequence[AppEnv]) -> list[_Outcome]:
        turns = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._in_turn(hearing, turns, where)) for where in places]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=self._within_s)
        finally:
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
        return [
            _Outcome(where, _Was.LATE) if task.cancelled() else task.result()
            for where, task in zip(places, tasks, strict=True)
        ]

    async def _in_turn(self, hearing: Hearing, turns: asyncio.Semaphore, where: AppEnv) -> _Outcome:
        if where not in self._watched:
            return _Outcome(where, _Was.NOT_WATCHED)
        try:
            async with turns:
                found = await self._refresh(where)
        except UpstreamDown:
            return _Outcome(where, _Was.DOWN)
        except BotError as error:
            return _Outcome(where, _Was.REFUSED, text=hearing.told(error))
        return _Outcome(where, _Was.READ, sorted(version.number or 0 for version in found))

    async def _row(self, outcome: _Outcome) -> Json:
        async with self._store.read() as tx:
            newest = await tx.versions.newest(outcome.where)
            oldest = await tx.versions.import_mark(outcome.where)
        return {
            "where": str(outcome.where),
            "was": outcome.was.value,
            "new": list(outcome.new),
            "newest": newest.number if newest else None,
            "not_imported": (oldest or 1) - 1,
            "text": outcome.text,
        }
