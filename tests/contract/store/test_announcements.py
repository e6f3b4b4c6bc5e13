"""Events for other systems: in the transaction of their fact, in one order for each app."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from store.records import (
    AppEnv,
    Execution,
    Recovery,
    RecoveryState,
    State,
    Step,
    VersionSource,
)
from store.session import SqlStore
from tests.builders import ALICE, BOB, NOON, PROD, a_leg, a_vote
from tests.contract.store.things import (
    HALF_AN_HOUR,
    OTHER,
    a_document,
    an_entry,
    an_open_case,
    an_open_rollback,
    moved,
    new_draft,
    new_rollback,
    new_version,
    recorded,
)

PENDING, APPROVED = State.PENDING_APPROVAL, State.APPROVED


async def told(store: SqlStore, where: AppEnv = PROD) -> list[str]:
    async with store.read() as tx:
        return [one.kind for one in await tx.announcements.after(0, where=where)]


async def test_each_step_of_a_rollback_is_an_event_of_its_app(store: SqlStore) -> None:
    pending = await moved(store, await an_open_rollback(store), PENDING)
    async with store.write() as tx:
        voted = replace(pending, votes=(a_vote(ALICE),))
        voted = await tx.rollbacks.save(voted, was=pending.revision, entry=None)
    both = (a_vote(ALICE), a_vote(BOB))
    approved = await moved(store, voted, APPROVED, votes=both)
    held = Execution(step=Step.CLAIMED, owner="one", lease_epoch=1, attempt=1)
    going = await moved(store, approved, State.EXECUTING, execution=held)
    done = await moved(store, going, State.VERIFYING, State.COMPLETED)
    async with store.write() as tx:
        watched = replace(done, recovery=Recovery(RecoveryState.WATCHED, done.case_id))
        await tx.rollbacks.save(watched, was=done.revision, entry=None)

    assert await told(store) == [
        "rollback.draft",
        "rollback.pending_approval",
        "rollback.voted",
        "rollback.voted",
        "rollback.approved",
        "rollback.step",
        "rollback.executing",
        "rollback.verifying",
        "rollback.completed",
        "rollback.watched",
    ]


async def test_the_numbers_of_an_app_have_no_gap_and_its_names_are_unique(store: SqlStore) -> None:
    rollback = await moved(store, await an_open_rollback(store), PENDING, State.WITHDRAWN)

    async with store.read() as tx:
        events = await tx.announcements.about(PROD, f"rollback/{rollback.id}")
        heads = await tx.announcements.heads()

    assert [one.sequence for one in events] == [1, 2, 3]
    assert len({one.id for one in events}) == 3
    assert heads == {PROD: 3}


async def test_what_did_not_happen_is_not_told(store: SqlStore) -> None:
    pending = await moved(store, await an_open_rollback(store), PENDING)
    entry = an_entry("rollback.approved")
    with contextlib.suppress(ZeroDivisionError):
        async with store.write() as tx:
            await tx.rollbacks.save(pending.moved(APPROVED), was=pending.revision, entry=entry)
            raise ZeroDivisionError

    assert await told(store) == ["rollback.draft", "rollback.pending_approval"]


async def test_those_who_write_at_once_leave_no_gap_and_no_number_twice(store: SqlStore) -> None:
    async def publish(number: int) -> None:
        for at in range(5):
            name = f"live-{number}-{at}"
            await recorded(store, new_version(name), a_document(name))

    await asyncio.gather(*(publish(number) for number in range(6)))

    async with store.read() as tx:
        events = await tx.announcements.after(0, where=PROD)
    assert sorted(one.sequence for one in events) == list(range(1, 31))
    assert [one.sequence for one in events] == list(range(1, 31))  # also as they were stored


async def test_two_who_tell_of_the_same_apps_do_not_wait_for_each_other(store: SqlStore) -> None:
    async def condemn(first: AppEnv, second: AppEnv, name: str) -> None:
        async with store.write() as tx:
            for where in (first, second):
                entry = an_entry("version.condemn")
                await tx.versions.condemn(where, f"{name}{where}", rollback_id=None, entry=entry)

    for number in range(10):
        async with asyncio.timeout(20):
            await asyncio.gather(
                condemn(PROD, OTHER, f"{number}a"), condemn(OTHER, PROD, f"{number}b")
            )

    assert len(await told(store)) == len(await told(store, OTHER)) == 20


async def test_a_rollback_of_several_apps_is_told_in_each(store: SqlStore) -> None:
    case = await an_open_case(store)
    legs = (a_leg(), a_leg(where=OTHER))
    async with store.write() as tx:
        await tx.rollbacks.open(
            new_rollback(case.id, legs=legs), open_for=HALF_AN_HOUR, entry=an_entry("open")
        )

    assert await told(store) == await told(store, OTHER) == ["rollback.draft"]


async def test_a_version_is_told_once_a_draft_never(store: SqlStore) -> None:
    await recorded(store, new_version(), a_document())
    await recorded(store, new_version(), a_document())
    await recorded(store, new_draft(), a_document("a draft"))

    assert await told(store) == ["version.new"]


async def test_what_comes_from_the_history_is_imported_and_drift_is_noticed(
    store: SqlStore,
) -> None:
    await recorded(store, new_version("live-9", number=9), a_document("nine"))
    await recorded(store, new_version("live-8", number=8), a_document("eight"))
    drift = new_version("live-9~h2", source=VersionSource.DRIFT)
    await recorded(store, drift, a_document("changed"))

    kinds = ["version.new", "version.imported", "version.new", "drift.noticed"]
    assert await told(store) == kinds


async def test_what_is_condemned_twice_is_told_once_and_so_is_its_lifting(store: SqlStore) -> None:
    async with store.write() as tx:
        for _ in range(2):
            entry = an_entry("version.condemn")
            await tx.versions.condemn(PROD, "m" * 64, rollback_id=3, entry=entry)
    async with store.write() as tx:
        for _ in range(2):
            await tx.versions.lift(PROD, "m" * 64, entry=an_entry("version.lift"))

    assert await told(store) == ["version.condemned", "version.lifted"]


async def test_nothing_that_people_wrote_is_told(store: SqlStore) -> None:
    secret = "geheim-what-somebody-wrote"
    case = await an_open_case(store)
    async with store.write() as tx:
        opened = await tx.rollbacks.open(
            new_rollback(case.id, reason=secret), open_for=HALF_AN_HOUR, entry=an_entry("open")
        )
    pending = await moved(store, opened, PENDING)
    votes = (a_vote(ALICE, reason=secret),)
    facts = {"why": secret}
    await moved(store, pending, State.REJECTED, votes=votes, outcome="no", outcome_facts=facts)
    named = new_version(external_name=secret, external_comment=secret, author=secret)
    await recorded(store, named, a_document(secret))

    async with store.read() as tx:
        everything = str(await tx.announcements.after(0))
    assert "version.new" in everything
    assert secret not in everything
    assert NOON.isoformat() in everything
