"""Whether a rollback helped: found while it is watched, said once, on every kind of database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.ports.store import Store
from store.records import IllegalMove, Recovery, RecoveryState, Rollback, State
from store.rollbacks import replay
from tests.builders import NOON
from tests.contract.store.things import an_entry, an_open_rollback

WATCHED = Recovery(RecoveryState.WATCHED, case_id=1)
RECOVERED = replace(WATCHED, state=RecoveryState.RECOVERED, since=NOON, by="metric")
WAY = (State.PENDING_APPROVAL, State.APPROVED, State.EXECUTING, State.VERIFYING)


async def saved(store: Store, before: Rollback, **changes: Any) -> Rollback:
    async with store.write() as tx:
        after = replace(before, **changes)
        return await tx.rollbacks.save(after, was=before.revision, entry=an_entry())


async def completed(store: Store) -> Rollback:
    rollback = await an_open_rollback(store)
    for state in WAY:
        rollback = await saved(store, rollback, state=state)
    return await saved(store, rollback, state=State.COMPLETED, finished_at=NOON, recovery=WATCHED)


async def watched(store: Store) -> list[int]:
    async with store.read() as tx:
        return [rollback.id for rollback in await tx.rollbacks.watched()]


async def test_what_is_watched_is_found_until_it_is_said_how_it_stands(store: Store) -> None:
    rollback = await completed(store)
    assert await watched(store) == [rollback.id]

    ended = await saved(store, rollback, recovery=RECOVERED)

    assert await watched(store) == []
    async with store.read() as tx:
        events = await tx.events.of("rollback", rollback.id)
        assert replay(events) == await tx.rollbacks.get(rollback.id) == ended


async def test_what_was_said_of_it_stays_said(store: Store) -> None:
    rollback = await saved(store, await completed(store), recovery=RECOVERED)

    for other in (None, WATCHED, replace(RECOVERED, by="alert")):
        with pytest.raises(IllegalMove, match="said already"):
            await saved(store, rollback, recovery=other)
