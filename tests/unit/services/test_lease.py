"""The right to execute: renewed while one works, lost when time or another process takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import Ambiguous, LeaseLost
from bot.ports.store import Store, Transaction
from bot.services.lease import LEASE, Lease
from store.records import Rollback, Step, Unavailable
from tests.unit.services.execution_scene import ExecutionScene

SHORT = timedelta(milliseconds=150)
LIMIT_S = 20.0


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


class Renewals:
    """A store that counts the transactions which write, and can be lost for some of them."""

    def __init__(self, store: Store, *, lost: int = 0) -> None:
        self._store = store
        self._lost = lost
        self._seen = asyncio.Semaphore(0)

    def read(self) -> object:
        return self._store.read()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        try:
            if self._lost:
                self._lost -= 1
                raise Unavailable("the database is gone")
            async with self._store.write() as tx:
                yield tx
        finally:
            self._seen.release()

    def lose(self) -> None:
        """Be gone from now on."""
        self._lost = 1_000_000

    async def one(self) -> None:
        """Wait until another one has been tried."""
        async with asyncio.timeout(LIMIT_S):
            await self._seen.acquire()


async def held(scene: ExecutionScene, *, by: str = "w1", until: timedelta = LEASE) -> Rollback:
    """A rollback that *by* executes for as long as *until*."""
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)
    async with scene.store.write() as tx:
        execution = replace(
            left.execution, owner=by, lease_epoch=7, lease_until=await tx.now() + until
        )
        after = left.moved(left.state, execution=execution)
        return await tx.rollbacks.save(after, was=left.revision, entry=None)


def a_lease(
    store: object, rollback: Rollback, *, owner: str = "w1", epoch: int = 7, length: timedelta
) -> Lease:
    return Lease(store, rollback.id, owner=owner, epoch=epoch, length=length)  # type: ignore[arg-type]


async def until(scene: ExecutionScene, rollback: Rollback) -> float:
    lease_until = (await scene.rollback(rollback)).execution.lease_until
    assert lease_until is not None
    return lease_until.timestamp()


async def test_it_outlives_a_single_call_to_the_target() -> None:
    assert timedelta(seconds=15) < LEASE


async def test_whoever_holds_it_writes_with_the_whole_length_ahead(scene: ExecutionScene) -> None:
    rollback = await held(scene, until=timedelta(seconds=5))

    async with a_lease(scene.store, rollback, length=LEASE).for_one_call():
        left = await until(scene, rollback)

    async with scene.store.read() as tx:
        assert left > (await tx.now()).timestamp() + 20


@pytest.mark.parametrize(("owner", "epoch"), [("w2", 7), ("w1", 6), ("w1", 8)])
async def test_another_owner_or_epoch_does_not(
    scene: ExecutionScene, owner: str, epoch: int
) -> None:
    rollback = await held(scene)

    with pytest.raises(LeaseLost):
        async with a_lease(
            scene.store, rollback, owner=owner, epoch=epoch, length=LEASE
        ).for_one_call():
            pytest.fail("it wrote")


async def test_nobody_writes_when_the_time_is_over(scene: ExecutionScene) -> None:
    rollback = await held(scene, until=-timedelta(milliseconds=1))

    with pytest.raises(LeaseLost):
        async with a_lease(scene.store, rollback, length=LEASE).for_one_call():
            pytest.fail("it wrote")


async def test_a_write_is_cut_off_where_a_lease_ends_that_cannot_be_renewed(
    scene: ExecutionScene,
) -> None:
    rollback = await held(scene)
    store = Renewals(scene.store)

    async def write_for_ever(lease: Lease) -> None:
        async with lease.for_one_call():
            store.lose()
            await asyncio.Event().wait()

    async with a_lease(store, rollback, length=SHORT) as lease:
        with pytest.raises(Ambiguous):
            await write_for_ever(lease)


async def test_a_write_whose_lease_was_renewed_is_cut_off_where_the_newest_one_ends(
    scene: ExecutionScene,
) -> None:
    rollback = await held(scene)
    store = Renewals(scene.store)

    async def write_for_ever(lease: Lease) -> None:
        async with lease.for_one_call():
            for _ in range(3):
                await store.one()
            store.lose()
            await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT_S), a_lease(store, rollback, length=SHORT) as lease:
        with pytest.raises(Ambiguous):
            await write_for_ever(lease)


async def test_a_process_that_was_stopped_until_its_lease_was_over_does_not_write(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at the clock right before the write: at the very end it is too late."""
    rollback = await held(scene)
    lease, loop = a_lease(scene.store, rollback, length=LEASE), asyncio.get_running_loop()

    async with lease.for_one_call() as must_hold:
        must_hold()
        with monkeypatch.context() as awake:
            awake.setattr(loop, "time", lambda: lease._until - 0.001)
            must_hold()
            awake.setattr(loop, "time", lambda: lease._until)
            with pytest.raises(LeaseLost, match=f"^rollback {rollback.id} was held up until"):
                must_hold()


async def test_it_is_renewed_three_times_in_its_length(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two renewals may fail before it is lost."""
    rollback = await held(scene)
    waits: list[float] = []
    waiting = asyncio.Event()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("bot.services.lease.asyncio.sleep", wait)
    async with asyncio.timeout(LIMIT_S), a_lease(scene.store, rollback, length=LEASE):
        await waiting.wait()

    assert waits == [LEASE.total_seconds() / 3]


async def test_a_long_write_goes_on_while_the_lease_is_renewed(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback = await held(scene)
    asleep, awake = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def wait(seconds: float) -> None:
        asleep.release()
        await awake.acquire()

    monkeypatch.setattr("bot.services.lease.asyncio.sleep", wait)
    async with (
        asyncio.timeout(LIMIT_S),
        a_lease(scene.store, rollback, length=LEASE) as lease,
        lease.for_one_call(),
    ):
        assert lease._call is not None
        await asleep.acquire()
        for _ in range(7):
            before = lease._call.when() or 0.0
            awake.release()
            await asleep.acquire()
            assert (lease._call.when() or 0.0) > before


async def test_a_timeout_of_the_calls_own_stays_what_it_is(scene: ExecutionScene) -> None:
    rollback = await held(scene)

    with pytest.raises(TimeoutError):
        async with a_lease(scene.store, rollback, length=LEASE).for_one_call():
            raise TimeoutError


async def test_it_is_renewed_again_and_again_without_a_new_revision(scene: ExecutionScene) -> None:
    rollback = await held(scene)
    before = await until(scene, rollback)
    store = Renewals(scene.store)

    async with a_lease(store, rollback, length=SHORT):
        await store.one()
        await store.one()

    assert await until(scene, rollback) != before
    assert (await scene.rollback(rollback)).revision == rollback.revision


async def test_a_database_that_was_away_for_a_moment_does_not_end_the_renewal(
    scene: ExecutionScene,
) -> None:
    rollback = await held(scene)
    before = await until(scene, rollback)
    store = Renewals(scene.store, lost=2)

    async with a_lease(store, rollback, length=SHORT):
        for _ in range(3):
            await store.one()

    assert await until(scene, rollback) != before


async def test_what_was_taken_over_is_not_renewed(scene: ExecutionScene) -> None:
    rollback = await held(scene, by="w2")
    before = await until(scene, rollback)
    store = Renewals(scene.store)

    async with a_lease(store, rollback, length=SHORT) as lease:
        await store.one()
        assert lease._renewing is not None
        assert lease._renewing.get_name() == f"lease-{rollback.id}"  # for who lists the tasks
        async with asyncio.timeout(LIMIT_S):
            await lease._renewing  # it ended on its own

    assert await until(scene, rollback) == before


async def test_nothing_is_renewed_after_the_work(scene: ExecutionScene) -> None:
    rollback = await held(scene)
    store = Renewals(scene.store)

    with pytest.raises(RuntimeError):
        async with a_lease(store, rollback, length=LEASE) as lease:
            raise RuntimeError("a bug")

    assert lease._renewing is not None
    assert lease._renewing.done()
