"""The lease of an execution: held, renewed, run out, taken over, on database time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from store.records import State, Step
from store.rollbacks import replay
from store.session import SqlStore
from tests.builders import NOON
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, an_entry, an_executing_rollback


async def holds(store: SqlStore, rollback_id: int, owner: str, epoch: int) -> bool:
    """As `renew` would say, without renewing."""
    async with store.read() as tx:
        execution = (await tx.rollbacks.get(rollback_id)).execution
        now = await tx.now()
    runs = execution.lease_until is not None and execution.lease_until >= now
    return runs and (execution.owner, execution.lease_epoch) == (owner, epoch)


async def renew(store: SqlStore, rollback_id: int, owner: str, epoch: int) -> bool:
    async with store.write() as tx:
        return await tx.rollbacks.renew(rollback_id, owner=owner, epoch=epoch, lease=LEASE)


async def test_only_the_owner_of_the_newest_epoch_holds_a_rollback(timed_store: SqlStore) -> None:
    rollback = await an_executing_rollback(timed_store, "one")

    assert await holds(timed_store, rollback.id, "one", 1)
    assert not await holds(timed_store, rollback.id, "two", 1)
    assert not await holds(timed_store, rollback.id, "one", 2)
    assert not await renew(timed_store, rollback.id, "two", 1)
    assert not await renew(timed_store, rollback.id, "one", 2)
    assert not await renew(timed_store, 404, "one", 1)


async def test_a_lease_runs_out(timed_store: SqlStore, hand: Hand) -> None:
    rollback = await an_executing_rollback(timed_store, "one")

    hand.passes(seconds=29)
    assert await holds(timed_store, rollback.id, "one", 1)
    hand.passes(seconds=2)
    assert not await holds(timed_store, rollback.id, "one", 1)


async def test_a_renewed_lease_runs_on_without_a_revision_or_an_entry(
    timed_store: SqlStore, hand: Hand
) -> None:
    rollback = await an_executing_rollback(timed_store, "one")
    async with timed_store.read() as tx:
        entries = await tx.audit.entries()
    hand.passes(seconds=20)

    assert await renew(timed_store, rollback.id, "one", 1)
    hand.passes(seconds=20)

    assert await holds(timed_store, rollback.id, "one", 1)
    async with timed_store.read() as tx:
        now = await tx.rollbacks.get(rollback.id)
        assert await tx.audit.entries() == entries
    assert now.revision == rollback.revision
    assert now.execution.lease_until == NOON + timedelta(seconds=50)


async def test_a_lease_that_ran_out_cannot_be_renewed(timed_store: SqlStore, hand: Hand) -> None:
    """Somebody may be taking over at this moment."""
    rollback = await an_executing_rollback(timed_store, "one")
    hand.passes(seconds=31)

    assert not await renew(timed_store, rollback.id, "one", 1)


async def test_nobody_else_renews_a_lease(timed_store: SqlStore) -> None:
    rollback = await an_executing_rollback(timed_store, "one")

    assert not await renew(timed_store, rollback.id, "two", 1)
    assert not await renew(timed_store, rollback.id, "one", 2)
    assert not await renew(timed_store, 404, "one", 1)


async def test_after_a_takeover_the_former_owner_holds_nothing(
    timed_store: SqlStore, hand: Hand
) -> None:
    rollback = await an_executing_rollback(timed_store, "one")
    hand.passes(seconds=31)
    taken = replace(
        rollback.execution, owner="two", lease_epoch=2, lease_until=hand() + LEASE, attempt=2
    )
    async with timed_store.write() as tx:
        after = rollback.moved(State.EXECUTING, execution=taken)
        await tx.rollbacks.save(after, was=rollback.revision, entry=an_entry("rollback.take_over"))

    assert await holds(timed_store, rollback.id, "two", 2)
    assert not await holds(timed_store, rollback.id, "one", 1)
    assert not await renew(timed_store, rollback.id, "one", 1)


async def test_a_renewed_lease_is_not_cut_short_by_saving_what_was_read_before(
    timed_store: SqlStore, hand: Hand
) -> None:
    rollback = await an_executing_rollback(timed_store, "one")
    hand.passes(seconds=20)
    await renew(timed_store, rollback.id, "one", 1)

    async with timed_store.write() as tx:
        step = replace(rollback.execution, step=Step.PUBLISHING)
        saved = await tx.rollbacks.save(
            replace(rollback, execution=step), was=rollback.revision, entry=None
        )

    assert saved.execution.lease_until == NOON + timedelta(seconds=50)
    hand.passes(seconds=25)
    assert await holds(timed_store, rollback.id, "one", 1)
    async with timed_store.read() as tx:
        assert await tx.rollbacks.get(rollback.id) == saved
        assert replay(await tx.events.of("rollback", rollback.id)) == saved
