"""What the store promises of cases, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ports.store import Store
from store.records import AppEnv, Case, CaseState, Finding, Missing, Stale
from tests.builders import CHANNEL, NOON, PROD
from tests.contract.store.raw import Hand
from tests.unit.services.scene import ENTRY

STAGING, OTHER = AppEnv("support-triage", "staging"), AppEnv("other", "prod")
EVERYWHERE = (PROD, STAGING, OTHER)


async def opened(store: Store, where: AppEnv = PROD, channel: str = CHANNEL) -> Case:
    async with store.write() as tx:
        return await tx.cases.open_for(where, channel=channel, entry=ENTRY)


async def saved(store: Store, case: Case) -> Case:
    async with store.write() as tx:
        return await tx.cases.save(case, was=case.revision)


async def entries(store: Store) -> int:
    async with store.read() as tx:
        return len(await tx.audit.entries())


async def test_a_case_opens_once_with_one_audit_entry(store: Store) -> None:
    first = await opened(store)
    again = await opened(store, channel="C0OTHER")

    assert again == first
    assert (first.state, first.revision, first.card_ts) == (CaseState.OPEN, 1, "")
    assert await entries(store) == 1


async def test_ten_who_open_a_case_at_once_get_the_same_one(store: Store) -> None:
    cases = await asyncio.gather(*(opened(store) for _ in range(10)))

    assert len({case.id for case in cases}) == 1
    assert await entries(store) == 1


async def test_every_app_and_environment_has_a_case_of_its_own(store: Store) -> None:
    first, second = await opened(store), await opened(store, STAGING)

    async with store.read() as tx:
        assert await tx.cases.open_cases() == [first, second]


async def test_a_closed_case_makes_room_for_the_next(store: Store) -> None:
    first = await opened(store)
    closed = await saved(store, replace(first, state=CaseState.CLOSED, closed_at=NOON))

    second = await opened(store)

    assert second.id != first.id
    async with store.read() as tx:
        assert await tx.cases.open_cases() == [second]
        assert await tx.cases.get(first.id) == closed
    assert await entries(store) == 2


async def test_a_case_comes_back_as_it_was_saved(store: Store) -> None:
    finding = Finding("suggested", {"n": 1, "ü": ["–"]}, NOON, NOON + timedelta(minutes=1), 2, 1)
    whole = replace(
        await opened(store),
        channel="C0OTHER",
        card_ts="1764000000.000100",
        assess_at=NOON,
        finding=finding,
        rollback_id=17,
    )

    after = await saved(store, whole)

    assert after == replace(whole, revision=2)
    async with store.write() as tx:
        assert await tx.cases.get(whole.id) == after
        assert await tx.cases.get(whole.id, lock=True) == after
    bare = await saved(store, replace(after, finding=Finding("nothing", {}), assess_at=None))
    assert bare.finding == Finding("nothing", {})


async def test_a_case_that_moved_on_is_stale(store: Store) -> None:
    case = await opened(store)
    await saved(store, replace(case, card_ts="1.1"))

    with pytest.raises(Stale):
        await saved(store, replace(case, card_ts="2.2"))

    async with store.read() as tx:
        assert (await tx.cases.get(case.id)).card_ts == "1.1"


async def test_of_ten_writers_of_one_revision_one_wins(store: Store) -> None:
    case = await opened(store)
    tried = (saved(store, replace(case, card_ts=f"{n}.0")) for n in range(10))

    told = await asyncio.gather(*tried, return_exceptions=True)

    won = [answer for answer in told if isinstance(answer, Case)]
    assert len(won) == 1
    assert all(isinstance(answer, Stale) for answer in told if answer not in won)
    async with store.read() as tx:
        assert await tx.cases.get(case.id) == won[0]


async def test_a_case_is_due_when_its_time_has_come(timed_store: Store, hand: Hand) -> None:
    late = await opened(timed_store)
    early = await opened(timed_store, STAGING)
    never = await opened(timed_store, OTHER)
    late = await saved(timed_store, replace(late, assess_at=NOON + timedelta(minutes=2)))
    early = await saved(timed_store, replace(early, assess_at=NOON + timedelta(minutes=1)))

    due = []
    for _ in range(3):
        async with timed_store.read() as tx:
            due.append(await tx.cases.due(EVERYWHERE))
            first = await tx.cases.due(EVERYWHERE, limit=1)
        hand.pass_by(timedelta(minutes=1))

    assert due == [[], [early], [early, late]]
    assert first == [early]
    assert never.assess_at is None


async def test_a_closed_case_is_never_due(store: Store) -> None:
    case = replace(await opened(store), state=CaseState.CLOSED, closed_at=NOON, assess_at=NOON)
    await saved(store, case)

    async with store.read() as tx:
        assert await tx.cases.due(EVERYWHERE) == []


async def test_cases_of_other_apps_leave_the_room_to_those_that_are_asked_for(
    store: Store,
) -> None:
    first, second = await opened(store), await opened(store, STAGING)
    await saved(store, replace(first, assess_at=NOON - timedelta(days=900)))
    second = await saved(store, replace(second, assess_at=NOON - timedelta(days=800)))

    async with store.read() as tx:
        assert await tx.cases.due([STAGING], limit=1) == [second]
        assert await tx.cases.due([]) == []


async def test_a_case_that_is_not_there_is_missing(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(Missing):
            await tx.cases.get(404)


async def test_cases_since_a_time_are_told_page_by_page_also_closed_ones(
    timed_store: Store, hand: Hand
) -> None:
    old = await opened(timed_store)
    old = await saved(timed_store, replace(old, state=CaseState.CLOSED, closed_at=NOON))
    hand.pass_by(timedelta(days=1))
    new, there = await opened(timed_store), await opened(timed_store, STAGING)

    async with timed_store.read() as tx:
        everything = await tx.cases.opened(since=NOON)
        since = await tx.cases.opened(since=hand.at)
        first = await tx.cases.opened(since=NOON, limit=1)
        second = await tx.cases.opened(since=NOON, after=old.id, limit=1)
    assert everything == [old, new, there]
    assert since == [new, there]
    assert (first, second) == ([old], [new])
