"""Rollbacks: saved by revision, moved by the table, never without their audit entry."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approval import MOVES
from store.records import (
    OPEN_STATES,
    Execution,
    IllegalMove,
    Missing,
    OpenRollbackExists,
    Rollback,
    Stale,
    State,
    Step,
    Unstorable,
)
from store.rollbacks import replay
from store.session import SqlStore
from tests.builders import ALICE, BOB, NOON, PROD, a_leg, a_reject, a_vote
from tests.contract.store import behind
from tests.contract.store.raw import Hand
from tests.contract.store.things import (
    HALF_AN_HOUR,
    STAGING,
    an_entry,
    an_open_case,
    an_open_rollback,
    moved,
    new_rollback,
)

PENDING, APPROVED, EXECUTING = State.PENDING_APPROVAL, State.APPROVED, State.EXECUTING
WAY = {
    State.DRAFT: (),
    PENDING: (PENDING,),
    APPROVED: (PENDING, APPROVED),
    State.BROKEN_GLASS: (PENDING, State.BROKEN_GLASS),
    EXECUTING: (PENDING, APPROVED, EXECUTING),
    State.VERIFYING: (PENDING, APPROVED, EXECUTING, State.VERIFYING),
    State.COMPLETED: (PENDING, APPROVED, EXECUTING, State.VERIFYING, State.COMPLETED),
    State.REJECTED: (PENDING, State.REJECTED),
    State.EXPIRED: (PENDING, State.EXPIRED),
    State.WITHDRAWN: (PENDING, State.WITHDRAWN),
    State.SUPERSEDED: (PENDING, State.SUPERSEDED),
    State.FAILED: (PENDING, APPROVED, EXECUTING, State.FAILED),
    State.NEEDS_ATTENTION: (PENDING, APPROVED, EXECUTING, State.NEEDS_ATTENTION),
}


class _SeenEnough(Exception):
    """Take the transaction back."""


async def current(store: SqlStore, rollback: Rollback) -> Rollback:
    async with store.read() as tx:
        return await tx.rollbacks.get(rollback.id)


async def test_a_rollback_opens_as_a_draft_that_expires_by_database_time(
    timed_store: SqlStore,
) -> None:
    opened = await an_open_rollback(timed_store)

    assert (opened.state, opened.round) == (State.DRAFT, 1)
    assert (opened.opened_at, opened.expires_at) == (NOON, NOON + HALF_AN_HOUR)
    assert await current(timed_store, opened) == opened
    async with timed_store.read() as tx:
        opened_entry = (await tx.audit.entries())[-1]
        assert await tx.rollbacks.open_of(PROD) == opened
        assert await tx.rollbacks.open_of(STAGING) is None
    assert opened_entry.action == "rollback.open"
    assert opened_entry.resource == f"rollback/{opened.id}"


async def test_every_field_survives_the_way_to_the_database_and_back(store: SqlStore) -> None:
    opened = await an_open_rollback(store)
    full = opened.moved(
        PENDING,
        round=3,
        votes=(
            a_vote(ALICE, voided_at=NOON, voided_why="no longer eligible"),
            a_vote(ALICE),
            a_reject(BOB, "the fix is on its way – 100 %"),
        ),
        risk="high",
        execution=Execution(
            step=Step.RETURNING,
            owner="one",
            lease_epoch=2,
            lease_until=NOON,
            attempt=3,
            not_before=NOON,
            kept_draft_id=9,
            kept_token="k",
            staged_token="s",
            published_id="live-3",
            published_version_id=13,
            draft_note="put_back",
            sealed=("API_KEY", "ß"),
            failure="code",
            clicked_at=NOON,
            verified_at=NOON,
        ),
        outcome="code",
        outcome_facts={"seconds": 1.5, "names": ["ß", "日本"]},
        finished_at=NOON,
    )
    async with store.write() as tx:
        saved = await tx.rollbacks.save(full, was=opened.revision, entry=an_entry())

    assert saved == full
    assert await current(store, opened) == full


async def test_one_rollback_is_open_per_app_and_environment(store: SqlStore) -> None:
    first = await an_open_rollback(store)

    with pytest.raises(OpenRollbackExists) as refused:
        await an_open_rollback(store)

    assert refused.value.rollback_id == first.id
    assert (await an_open_rollback(store, STAGING)).id != first.id


@pytest.mark.parametrize("end", [s for s in WAY if s not in OPEN_STATES])
async def test_an_ended_rollback_makes_room_for_the_next(store: SqlStore, end: State) -> None:
    first = await moved(store, await an_open_rollback(store), *WAY[end])

    second = await an_open_rollback(store)

    assert first.state is end
    async with store.read() as tx:
        assert await tx.rollbacks.open_of(PROD) == second


async def test_of_racers_that_open_a_rollback_one_wins(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    case = await an_open_case(timed_store)

    async def race(store: SqlStore) -> Rollback:
        async with store.write() as tx:
            return await tx.rollbacks.open(
                new_rollback(case.id), open_for=HALF_AN_HOUR, entry=an_entry()
            )

    came = await asyncio.gather(
        *(race(store) for store in (timed_store, replica) for _ in range(8)), return_exceptions=True
    )

    won = [outcome for outcome in came if isinstance(outcome, Rollback)]
    lost = [outcome for outcome in came if not isinstance(outcome, Rollback)]
    assert len(won) == 1
    assert {type(outcome) for outcome in lost} == {OpenRollbackExists}
    assert {getattr(outcome, "rollback_id", None) for outcome in lost} == {won[0].id}
    async with timed_store.read() as tx:
        assert await tx.rollbacks.newest() == won


async def test_a_rollback_of_two_apps_is_open_for_both(store: SqlStore) -> None:
    case = await an_open_case(store)
    legs = (a_leg(), a_leg(where=STAGING))
    async with store.write() as tx:
        both = await tx.rollbacks.open(
            new_rollback(case.id, legs=legs), open_for=HALF_AN_HOUR, entry=an_entry()
        )

    with pytest.raises(OpenRollbackExists):
        await an_open_rollback(store, STAGING)
    async with store.read() as tx:
        assert await tx.rollbacks.open_of(STAGING) == both
        assert await tx.rollbacks.open_of(PROD) == both


async def test_saving_over_a_rollback_that_moved_on_is_stale(store: SqlStore) -> None:
    opened = await an_open_rollback(store)
    await moved(store, opened, PENDING)

    with pytest.raises(Stale):
        await moved(store, opened, State.EXPIRED)

    assert (await current(store, opened)).state is PENDING


async def test_two_votes_at_the_same_instant_are_both_counted_by_looking_again(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    pending = await moved(timed_store, await an_open_rollback(timed_store), PENDING)
    stale = 0

    async def vote(store: SqlStore, person: str, seen: Rollback) -> None:
        nonlocal stale
        while True:
            after = replace(seen, votes=(*seen.votes, a_vote(person)))
            try:
                async with store.write() as tx:
                    await tx.rollbacks.save(after, was=seen.revision, entry=an_entry())
            except Stale:
                stale += 1
                seen = await current(store, pending)
            else:
                return

    await asyncio.gather(vote(timed_store, ALICE, pending), vote(replica, BOB, pending))

    after = await current(timed_store, pending)
    assert sorted(v.person for v in after.votes) == [ALICE, BOB]
    assert after.revision == pending.revision + 2
    assert stale == 1


@pytest.mark.parametrize("before", list(State))
async def test_the_store_makes_the_moves_of_the_table_and_no_others(
    sqlite_store: SqlStore, before: State
) -> None:
    rollback = await moved(sqlite_store, await an_open_rollback(sqlite_store), *WAY[before])
    legal = set()
    for after in set(State) - {before}:
        with contextlib.suppress(IllegalMove, _SeenEnough):
            async with sqlite_store.write() as tx:
                saving = rollback.moved(after)
                await tx.rollbacks.save(saving, was=rollback.revision, entry=an_entry())
                legal.add(after)
                raise _SeenEnough

    assert legal == MOVES[before]


async def test_a_change_of_state_without_an_audit_entry_is_refused(store: SqlStore) -> None:
    opened = await an_open_rollback(store)

    with pytest.raises(IllegalMove):
        async with store.write() as tx:
            await tx.rollbacks.save(opened.moved(PENDING), was=opened.revision, entry=None)

    assert await current(store, opened) == opened


async def test_a_step_within_a_state_needs_no_audit_entry(store: SqlStore) -> None:
    opened = await an_open_rollback(store)
    async with store.write() as tx:
        entries = len(await tx.audit.entries())
        saved = await tx.rollbacks.save(
            replace(opened, risk="low"), was=opened.revision, entry=None
        )

    async with store.read() as tx:
        assert len(await tx.audit.entries()) == entries
    assert (saved.revision, saved.risk) == (opened.revision + 1, "low")


async def test_the_lifecycle_events_of_a_rollback_lead_to_its_row(store: SqlStore) -> None:
    opened = await an_open_rollback(store)
    pending = await moved(store, opened, PENDING)
    async with store.write() as tx:
        voted = replace(pending, votes=(a_vote(ALICE),))
        voted = await tx.rollbacks.save(voted, was=pending.revision, entry=None)
    ended = await moved(store, voted, State.WITHDRAWN, outcome="withdrawn", finished_at=NOON)

    async with store.read() as tx:
        events = await tx.events.of("rollback", opened.id)

    assert [e.sequence for e in events] == [1, 2, 3, 4]
    assert [e.kind for e in events] == ["DRAFT", "PENDING_APPROVAL", "changed", "WITHDRAWN"]
    assert replay(events) == ended


async def test_votes_are_rows_that_an_auditor_can_read(store: SqlStore, database_url: str) -> None:
    pending = await moved(store, await an_open_rollback(store), PENDING)
    votes = (a_vote(ALICE, voided_at=NOON, voided_why="left"), a_vote(ALICE), a_vote(BOB))
    async with store.write() as tx:
        voted = replace(pending, votes=votes)
        await tx.rollbacks.save(voted, was=pending.revision, entry=None)

    async with behind.connected(database_url) as sql:
        rows = await sql(f"SELECT person, voided_at IS NULL FROM {behind.VOTES} ORDER BY position")
    assert [(person, bool(stands)) for person, stands in rows] == [
        (ALICE, False),
        (ALICE, True),
        (BOB, True),
    ]


async def test_one_person_has_one_vote_that_stands(store: SqlStore) -> None:
    pending = await moved(store, await an_open_rollback(store), PENDING)

    async def attempt() -> None:
        async with store.write() as tx:
            twice = replace(pending, votes=(a_vote(ALICE), a_vote(ALICE)))
            await tx.rollbacks.save(twice, was=pending.revision, entry=None)

    with pytest.raises(Stale):
        await attempt()

    assert await current(store, pending) == pending


async def test_rollbacks_are_listed_by_state_oldest_first_and_by_age_newest_first(
    store: SqlStore,
) -> None:
    first = await moved(store, await an_open_rollback(store), PENDING, State.REJECTED)
    second = await moved(store, await an_open_rollback(store), PENDING)
    third = await an_open_rollback(store, STAGING)

    async with store.read() as tx:
        assert await tx.rollbacks.in_states([PENDING, State.REJECTED]) == [first, second]
        assert await tx.rollbacks.in_states([PENDING, State.REJECTED], limit=1) == [first]
        assert await tx.rollbacks.in_states([State.COMPLETED]) == []
        assert await tx.rollbacks.newest() == [third, second, first]
        assert await tx.rollbacks.newest(limit=1) == [third]


async def test_a_rollback_that_is_not_there_is_missing(store: SqlStore) -> None:
    opened = await an_open_rollback(store)
    async with store.write() as tx:
        with pytest.raises(Missing):
            await tx.rollbacks.get(404)
        with pytest.raises(Missing):
            await tx.rollbacks.get(404, lock=True)
        with pytest.raises(Missing):
            await tx.rollbacks.save(replace(opened, id=404), was=1, entry=None)
        assert await tx.events.of("rollback", 404) == []


async def test_what_is_not_recorded_is_not_done(timed_store: SqlStore, hand: Hand) -> None:
    """The audit entry cannot be kept, so the move is not made."""
    opened = await an_open_rollback(timed_store)
    hand.passes(minutes=1)

    async def attempt() -> None:
        async with timed_store.write() as tx:
            entry = an_entry(what={"not": object()})
            await tx.rollbacks.save(opened.moved(PENDING), was=opened.revision, entry=entry)

    with pytest.raises(Unstorable):
        await attempt()

    assert await current(timed_store, opened) == opened
    async with timed_store.read() as tx:
        assert len(await tx.events.of("rollback", opened.id)) == 1


async def test_the_time_that_a_rollback_stays_open_is_counted_from_now(
    timed_store: SqlStore, hand: Hand
) -> None:
    case = await an_open_case(timed_store)
    hand.passes(hours=5)
    async with timed_store.write() as tx:
        opened = await tx.rollbacks.open(
            new_rollback(case.id), open_for=timedelta(hours=1), entry=an_entry()
        )

    assert opened.expires_at == NOON + timedelta(hours=6)


async def test_what_was_completed_of_an_app_since_a_time_is_found(
    timed_store: SqlStore, hand: Hand
) -> None:
    done = await an_open_rollback(timed_store)
    ways = (PENDING, APPROVED, EXECUTING, State.VERIFYING, State.COMPLETED)
    for state in ways:
        finished = hand.at if state is State.COMPLETED else None
        async with timed_store.write() as tx:
            current = await tx.rollbacks.get(done.id, lock=True)
            after = current.moved(state, finished_at=finished)
            done = await tx.rollbacks.save(after, was=current.revision, entry=an_entry())

    async with timed_store.read() as tx:
        since = await tx.rollbacks.completed(PROD, since=hand.at)
        later = await tx.rollbacks.completed(PROD, since=hand.at + timedelta(seconds=1))
        elsewhere = await tx.rollbacks.completed(STAGING, since=hand.at)
    assert [rollback.id for rollback in since] == [done.id]
    assert (later, elsewhere) == ([], [])


async def test_what_was_opened_since_is_told_page_by_page_of_one_app_or_of_all(
    timed_store: SqlStore, hand: Hand
) -> None:
    old = await moved(timed_store, await an_open_rollback(timed_store), PENDING, State.REJECTED)
    hand.passes(days=1)
    new = await an_open_rollback(timed_store)
    there = await an_open_rollback(timed_store, STAGING)

    async def ids(**asked: Any) -> list[int]:
        async with timed_store.read() as tx:
            return [one.id for one in await tx.rollbacks.opened(**{"since": hand.at, **asked})]

    assert await ids(since=NOON) == [old.id, new.id, there.id]
    assert await ids() == [new.id, there.id]
    assert await ids(since=NOON, where=PROD) == [old.id, new.id]
    assert await ids(since=NOON, limit=1) == [old.id]
    assert await ids(since=NOON, after=old.id, limit=1) == [new.id]
    assert await ids(since=hand.at + timedelta(seconds=1)) == []


@pytest.mark.parametrize("drill", [True, False])
async def test_every_entry_that_is_written_with_a_drill_says_so(
    store: SqlStore, drill: bool
) -> None:
    case = await an_open_case(store)
    async with store.write() as tx:
        new = new_rollback(case.id, drill=drill)
        draft = await tx.rollbacks.open(new, open_for=HALF_AN_HOUR, entry=an_entry("opened"))
    ended = await moved(store, draft, *WAY[State.REJECTED])

    assert (await current(store, ended)).drill is drill
    async with store.read() as tx:
        about = [e for e in await tx.audit.entries() if e.resource.startswith("rollback/")]
        written = [e for e in await tx.audit.entries() if e.action.startswith("rollback.")]
    marks = [entry.what.get("drill") for entry in (*about, *written)]
    assert marks == [True if drill else None] * 3
    assert all(entry.what["why"] == "a test" for entry in written)
