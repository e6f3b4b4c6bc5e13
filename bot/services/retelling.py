"""Tell rollbacks again from their events, and look if the events are all there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain import retold
from bot.ports.store import Store, Transaction
from store.records import AppEnv, Rollback

_PAGE = 200
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Retelling:
    """What the events of a rollback lead to: the same as its row, unless `differences` say where.

    `whole` is False where its first events are not kept any more, or were never written.
    """

    rollback_id: int
    events: int
    whole: bool
    differences: tuple[str, ...] = ()


async def retell(store: Store, rollback_id: int) -> Retelling:
    """Compare one rollback. Raises `Missing`."""
    async with store.read() as tx:
        return await _retold(tx, await tx.rollbacks.get(rollback_id))


async def retell_all(store: Store) -> AsyncIterator[Retelling]:
    """Compare every rollback, oldest first."""
    after = 0
    while True:
        async with store.read() as tx:
            page = await tx.rollbacks.opened(since=_EVER, after=after, limit=_PAGE)
            told = [await _retold(tx, rollback) for rollback in page]
        for one in told:
            yield one
        if not page:
            return
        after = page[-1].id


async def _retold(tx: Transaction, rollback: Rollback) -> Retelling:
    """What is told among the events of each of its apps must be the same."""
    count, found = 0, []
    for where in dict.fromkeys(leg.where for leg in rollback.legs):
        events = await tx.announcements.about(where, f"rollback/{rollback.id}")
        if not retold.whole(events):
            return Retelling(rollback.id, len(events), whole=False)
        count += len(events)
        found += [f"{where}: {said}" for said in retold.differences(events, rollback)]
    return Retelling(rollback.id, count, whole=True, differences=tuple(found))


@dataclass(frozen=True)
class Stream:
    """The events of one app@env that are kept; `gaps` are numbers that are missing between them."""

    where: AppEnv
    head: int
    first: int
    kept: int
    gaps: tuple[int, ...]


async def streams(store: Store) -> list[Stream]:
    """Look at the events of every app, from the first that is kept to the newest."""
    async with store.read() as tx:
        heads = await tx.announcements.heads()
        return [await _stream(tx, where, head) for where, head in sorted(heads.items())]


async def _stream(tx: Transaction, where: AppEnv, head: int) -> Stream:
    numbers: set[int] = set()
    at = 0
    while page := await tx.announcements.after(at, limit=_PAGE, where=where):
        numbers.update(one.sequence for one in page)
        at = page[-1].number
    first = min(numbers, default=head + 1)
    missing = sorted(set(range(first, head + 1)) - numbers)
    return Stream(where, head, first, len(numbers), tuple(missing))
