"""A replica that is cut off from PostgreSQL does nothing to Dify, and goes on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approval import MOVES
from bot.errors import LeaseLost
from bot.services.execute import Execute
from store.audit import verify
from store.records import State, Unavailable
from store.session import SqlStore, open_store
from tests.proofs.arena import Arena, an_arena
from tests.proofs.proxy import Proxy, a_proxy

LIMIT_S = 60.0
WRITES = ("draft_sync", "publish", "draft_sync")  # ours, its publish, the editors' draft again
# after which of its commits it is cut off → how much it has written by then
COMMITS = {
    "the claim": (1, 0),
    "keeping the draft": (2, 0),
    "writing the draft": (4, 1),
    "publishing": (6, 2),
}
cut_off_after = pytest.mark.parametrize(("nth", "written"), COMMITS.values(), ids=COMMITS)


class Clock:
    """The database's time, moved on when a lease shall be over."""

    later = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


@asynccontextmanager
async def a_store(url: str, clock: Clock) -> AsyncIterator[SqlStore]:
    store = await open_store(url, moves=MOVES, clock=clock)
    try:
        yield store
    finally:
        await store.close()


async def until_idle(executor: Execute) -> None:
    while await executor.step():
        pass


def writes(arena: Arena) -> tuple[str, ...]:
    """The calls that Dify has answered and that change something there."""
    return tuple(call.route for call in arena.state.faults.log if call.route in WRITES)


async def held(proxy: Proxy) -> None:
    async with asyncio.timeout(LIMIT_S):
        await proxy.held.wait()


@cut_off_after
async def test_a_replica_that_hears_nothing_any_more_leaves_the_rest_to_another(
    postgres_url: str, nth: int, written: int
) -> None:
    clock, theirs = Clock(), Clock()
    async with (
        an_arena(postgres_url, executors=0) as arena,
        a_proxy(postgres_url) as proxy,
        a_store(proxy.url(postgres_url), clock) as far,
        a_store(postgres_url, theirs) as near,
    ):
        trial = await arena.approved()
        proxy.hold_after(nth)
        cut_off = asyncio.create_task(until_idle(arena.execute(trial, far, owner="far")))
        await held(proxy)
        assert writes(arena) == WRITES[:written]

        theirs.later = timedelta(minutes=1)  # its lease is over
        await until_idle(arena.execute(trial, near, owner="near"))

        assert not cut_off.done()
        assert writes(arena) == WRITES
        after = await arena.rollback(trial)
        assert trial.broken(after, arena.state) == []
        assert (after.state, after.execution.owner) == (State.COMPLETED, "near")

        proxy.well()
        async with asyncio.timeout(LIMIT_S):
            await cut_off

        assert writes(arena) == WRITES
        assert await arena.rollback(trial) == after
        assert (await verify(arena.store)).ok


@cut_off_after
async def test_a_replica_whose_connections_end_writes_nothing_and_goes_on_when_they_are_back(
    postgres_url: str, nth: int, written: int
) -> None:
    clock = Clock()
    async with (
        an_arena(postgres_url, executors=0) as arena,
        a_proxy(postgres_url) as proxy,
        a_store(proxy.url(postgres_url), clock) as far,
    ):
        trial = await arena.approved()
        executor = arena.execute(trial, far, owner="far")
        proxy.hold_after(nth)
        working = asyncio.create_task(until_idle(executor))
        await held(proxy)
        proxy.refusing = True
        proxy.cut()

        with pytest.raises((Unavailable, LeaseLost)):
            await working
        for _ in range(3):
            with pytest.raises(Unavailable):
                await executor.step()
        assert writes(arena) == WRITES[:written]

        proxy.well()
        clock.later = timedelta(minutes=1)  # its own lease is over, too
        await until_idle(executor)

        assert writes(arena) == WRITES
        after = await arena.rollback(trial)
        assert trial.broken(after, arena.state) == []
        assert after.state is State.COMPLETED
        assert (await verify(arena.store)).ok
