"""A click over which the database was lost is judged as soon as it is back, not a lease later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain import quorum
from bot.ports.store import Store, Transaction
from store.records import Unavailable
from store.session import SqlStore
from tests.builders import ALICE, BOB
from tests.unit.services.scene import Scene, a_pending

TRANSACTIONS = 2  # that judging a click makes: it is claimed, and it is judged


class Losing:
    """A store whose database is lost in the *nth* transaction that writes, once."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.nth = 0
        self.committed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        self.nth -= 1
        lost = self.nth == 0
        async with self._store.write() as tx:
            yield cast("Transaction", tx)
            if lost and not self.committed:
                raise Unavailable("the database is gone")
        if lost:
            raise Unavailable("the database is gone")


@pytest.mark.parametrize("committed", [False, True], ids=["rolled back", "committed"])
@pytest.mark.parametrize("nth", range(1, TRANSACTIONS + 1))
async def test_a_click_is_judged_as_soon_as_the_database_is_back(
    sqlite_store: SqlStore, nth: int, committed: bool
) -> None:
    losing = Losing(sqlite_store)
    scene = Scene.of(cast("Store", losing))
    opened = await a_pending(scene.store)
    await scene.tell()
    await scene.approve(ALICE, opened)
    worker = scene.decide()
    losing.nth, losing.committed = nth, committed

    with pytest.raises(Unavailable):
        await worker.step()
    while await worker.step():
        pass

    assert [vote.person for vote in (await scene.rollback(opened)).votes] == [ALICE]


async def test_what_another_worker_took_over_meanwhile_is_left_to_it(
    sqlite_store: SqlStore,
) -> None:
    losing = Losing(sqlite_store)
    scene = Scene.of(cast("Store", losing))
    opened = await a_pending(scene.store)
    await scene.tell()
    await scene.approve(BOB, opened)
    worker = scene.decide(lease=timedelta(0))
    losing.nth = 2
    with pytest.raises(Unavailable):
        await worker.step()

    other = scene.decide(owner="w2")
    assert await other.step()
    assert await worker.step()

    assert [vote.person for vote in quorum.approvals(await scene.rollback(opened))] == [BOB]
    assert len(await scene.entries("vote.")) == 1
