"""What time alone brings about."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain import approval
from bot.ports.store import Store
from bot.services.follow_up import FollowUp
from store.records import (
    AppEnv,
    CaseState,
    Delivery,
    Firing,
    FiringStatus,
    Rollback,
    Stale,
    State,
)
from tests.builders import ALICE, BOB, CHANNEL, NOON, PROD, a_firing
from tests.unit.services.scene import ENTRY, Scene, a_pending


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def test_an_overdue_rollback_expires_with_audit_card_and_note(scene: Scene) -> None:
    late = await a_pending(scene.store, open_for=timedelta(0))

    assert await FollowUp(scene.store).expire_overdue() == 1
    await scene.tell()

    after = await scene.rollback(late)
    assert (after.state, after.outcome) == (State.EXPIRED, "expired")
    (entry,) = await scene.entries("rollback.expire")
    assert (entry.user_id, entry.resource) == ("keyturn", f"rollback/{late.id}")
    assert scene.messenger.codes == ["ended"]
    assert scene.messenger.drawn[-1].state is State.EXPIRED


async def test_expiring_twice_or_at_once_is_expiring_once(scene: Scene) -> None:
    await a_pending(scene.store, open_for=timedelta(0))

    counts = await asyncio.gather(*(FollowUp(scene.store).expire_overdue() for _ in range(4)))

    assert sum(counts) == 1
    assert await FollowUp(scene.store).expire_overdue() == 0
    assert len(await scene.entries("rollback.expire")) == 1


async def test_an_approved_rollback_that_is_not_executed_expires_too(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    for who in (ALICE, BOB):
        await scene.approve(who, pending)
    await scene.judge()
    async with scene.store.write() as tx:
        approved = await tx.rollbacks.get(pending.id, lock=True)
        assert approved.state is State.APPROVED
        due = replace(approved, revision=approved.revision + 1, expires_at=await tx.now())
        await tx.rollbacks.save(due, was=approved.revision, entry=None)

    assert await FollowUp(scene.store).expire_overdue() == 1
    assert (await scene.rollback(pending)).state is State.EXPIRED


async def test_one_that_cannot_be_expired_does_not_hold_up_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await a_pending(scene.store, open_for=timedelta(0))
    other = await a_pending(scene.store, where=AppEnv("billing", "prod"), open_for=timedelta(0))
    expire = approval.expire

    def broken(rollback: Rollback, *, at: datetime) -> Rollback:
        if rollback.id == first.id:
            raise RuntimeError("a bug")
        return expire(rollback, at=at)

    monkeypatch.setattr(approval, "expire", broken)

    with pytest.raises(RuntimeError):
        await FollowUp(scene.store).expire_overdue()

    states = [(await scene.rollback(r)).state for r in (first, other)]
    assert states == [State.PENDING_APPROVAL, State.EXPIRED]


async def test_what_still_has_time_is_left_alone(scene: Scene) -> None:
    pending = await a_pending(scene.store)

    assert await FollowUp(scene.store).expire_overdue() == 0
    assert (await scene.rollback(pending)).state is State.PENDING_APPROVAL


async def test_one_that_moved_on_does_not_hold_up_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await a_pending(scene.store, open_for=timedelta(0))
    other = await a_pending(scene.store, where=AppEnv("billing", "prod"), open_for=timedelta(0))
    follow_up = FollowUp(scene.store)
    write = scene.store.write
    refused: list[int] = []

    def stale_once() -> object:
        if not refused:
            refused.append(1)
            raise Stale("moved on")
        return write()

    monkeypatch.setattr(scene.store, "write", stale_once)

    assert await follow_up.expire_overdue() == 1
    states = {(await scene.rollback(r)).state for r in (first, other)}
    assert states == {State.PENDING_APPROVAL, State.EXPIRED}


# -- cases ----------------------------------------------------------------------------------------


async def alert(scene: Scene, case_id: int, firing: Firing, digest: str) -> None:
    async with scene.store.write() as tx:
        stored = await tx.alerts.take(
            Delivery("alertmanager", "keyturn", "group", digest, 0, (firing,))
        )
        await tx.alerts.assign([one.id for one in stored], case_id)


async def test_a_case_closes_when_its_rollback_ended_and_nothing_fires(scene: Scene) -> None:
    late = await a_pending(scene.store, open_for=timedelta(0))
    follow_up = FollowUp(scene.store)
    assert await follow_up.close_cases() == 0

    await follow_up.expire_overdue()

    assert await follow_up.close_cases() == 1
    case = await scene.case(late)
    assert case.state is CaseState.CLOSED
    assert case.closed_at is not None
    (entry,) = await scene.entries("case.close")
    assert (entry.resource, entry.what["outcome"]) == (f"case/{case.id}", "expired")
    assert await follow_up.close_cases() == 0


async def test_an_alert_that_fires_keeps_its_case_open_until_it_is_resolved(scene: Scene) -> None:
    late = await a_pending(scene.store, open_for=timedelta(0))
    await alert(scene, late.case_id, a_firing(), "d1")
    follow_up = FollowUp(scene.store)
    await follow_up.expire_overdue()
    assert await follow_up.close_cases() == 0

    resolved = a_firing(status=FiringStatus.RESOLVED, ends_at=NOON)
    await alert(scene, late.case_id, resolved, "d2")

    assert await follow_up.close_cases() == 1


async def test_a_case_with_facts_only_closes_when_its_alert_is_resolved(scene: Scene) -> None:
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
    resolved = a_firing(status=FiringStatus.RESOLVED, ends_at=NOON)
    await alert(scene, case.id, resolved, "d1")

    assert await FollowUp(scene.store).close_cases() == 1
    (entry,) = await scene.entries("case.close")
    assert entry.what["outcome"] == ""


async def test_a_case_that_moved_on_does_not_hold_up_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_pending(scene.store, open_for=timedelta(0))
    follow_up = FollowUp(scene.store)
    await follow_up.expire_overdue()

    def stale() -> object:
        raise Stale("moved on")

    monkeypatch.setattr(scene.store, "write", stale)

    assert await follow_up.close_cases() == 0


async def test_rows_of_an_ended_rollback_are_told_after_the_case_has_closed(scene: Scene) -> None:
    late: Rollback = await a_pending(scene.store, open_for=timedelta(0))
    follow_up = FollowUp(scene.store)
    await follow_up.expire_overdue()
    await follow_up.close_cases()

    await scene.tell()

    assert scene.messenger.codes == ["ended"]
    assert (await scene.case(late)).card_ts
