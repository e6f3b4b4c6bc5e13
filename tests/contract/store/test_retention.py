"""What is cleared away by age, and what never is, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store.records import DRAFT_KEPT, DRAFT_SEEN, Keeping, VersionKind
from store.session import SqlStore
from tests.builders import PROD, a_firing
from tests.contract.store.raw import Hand
from tests.contract.store.things import (
    LEASE,
    a_delivery,
    a_document,
    an_item,
    an_open_case,
    new_version,
    outgoing,
    recorded,
    taken,
)

DAYS = timedelta(days=1)
KEEPING = Keeping(inbox=2 * DAYS, outbox=3 * DAYS, alerts=4 * DAYS, drafts=5 * DAYS)
NOTHING = {
    "drafts": 0,
    "inbox": 0,
    "outbox": 0,
    "webhooks": 0,
    "webhooks_set_aside": 0,
    "alerts": 0,
}


async def do_and_tell(store: SqlStore, number: int) -> None:
    """One click that is judged, one message that is sent."""
    async with store.write() as tx:
        await tx.inbox.put(an_item(f"click-{number}"))
        await tx.outbox.put(outgoing(f"note-{number}"))
        item = await tx.inbox.claim("one", lease=LEASE)
        row = await tx.outbox.claim("one", lease=LEASE)
        assert item is not None
        assert row is not None
        await tx.inbox.finish(item.id, owner="one", outcome="done")
        await tx.outbox.sent(row.id, owner="one")


async def cleared(store: SqlStore, at_most: int = 500) -> dict[str, int]:
    async with store.write() as tx:
        over = await tx.retention.over(KEEPING)
        gone = await tx.retention.clear(KEEPING, at_most=at_most)
    assert all(gone[kind] == min(over[kind], at_most) for kind in over)
    return {kind: count for kind, count in gone.items() if count}


async def test_each_kind_goes_after_its_own_time(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    for number in range(3):
        await do_and_tell(store, number)
        await taken(store, a_delivery(a_firing(fingerprint=f"f{number}"), digest=f"d{number}"))

    hand.passes(days=2)
    assert await cleared(store) == {}
    hand.passes(seconds=1)
    assert await cleared(store) == {"inbox": 2}
    hand.passes(days=1)
    assert await cleared(store) == {"outbox": 2}
    hand.passes(days=1)
    assert await cleared(store) == {"webhooks": 2, "alerts": 2}
    assert await cleared(store) == {}


async def test_the_newest_row_stays_so_that_no_id_is_given_twice(
    timed_store: SqlStore, hand: Hand
) -> None:
    await do_and_tell(timed_store, 1)
    hand.passes(days=300)

    assert await cleared(timed_store) == {}


async def test_what_waits_stays_whatever_its_age(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    async with store.write() as tx:
        await tx.inbox.put(an_item("waits"))
        await tx.outbox.put(outgoing("waits"))
    hand.passes(days=300)
    async with store.write() as tx:
        await tx.inbox.put(an_item("newest"))
        await tx.outbox.put(outgoing("newest"))

    assert await cleared(store) == {}
    async with store.read() as tx:
        assert await tx.outbox.waiting() == 2


async def test_the_alerts_of_a_case_are_its_evidence_and_stay(
    timed_store: SqlStore, hand: Hand
) -> None:
    store = timed_store
    case = await an_open_case(store)
    (fired,) = await taken(store, a_delivery(a_firing(fingerprint="ours"), digest="d1"))
    async with store.write() as tx:
        await tx.alerts.assign([fired.id], case.id)
    await taken(store, a_delivery(a_firing(fingerprint="other"), digest="d2"))
    await taken(store, a_delivery(a_firing(fingerprint="newest"), digest="d3"))
    hand.passes(days=300)

    assert await cleared(store) == {"webhooks": 2, "alerts": 1}
    async with store.read() as tx:
        assert [f.fingerprint for f in await tx.alerts.of_case(case.id)] == ["ours"]


async def test_an_alert_that_is_repeated_stays(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    lasting = a_delivery(a_firing(fingerprint="lasting"), digest="d1")
    await taken(store, lasting)
    await taken(store, a_delivery(a_firing(fingerprint="newest"), digest="d2"))
    hand.passes(days=4)
    await taken(store, lasting)
    hand.passes(days=1)

    assert await cleared(store) == {}


async def test_a_few_at_a_time_the_oldest_first(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    for number in range(4):
        await do_and_tell(store, number)
    hand.passes(days=300)

    assert await cleared(store, at_most=2) == {"inbox": 2, "outbox": 2}
    assert await cleared(store, at_most=2) == {"inbox": 1, "outbox": 1}


async def test_nothing_else_goes(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    case = await an_open_case(store)
    hand.passes(days=360)

    assert await cleared(store) == {}
    async with store.read() as tx:
        assert (await tx.cases.get(case.id)).where == PROD


async def drafts_of(store: SqlStore) -> list[str]:
    async with store.read() as tx:
        return [draft.external_id for draft in await tx.versions.drafts(PROD)]


async def seen(store: SqlStore, text: str, name: str = DRAFT_SEEN) -> None:
    await recorded(store, new_version(name, kind=VersionKind.DRAFT), a_document(text))


async def test_a_draft_goes_when_it_was_not_seen_for_long_and_no_rollback_keeps_it(
    timed_store: SqlStore, hand: Hand
) -> None:
    store = timed_store
    await recorded(store, new_version(), a_document("live"))
    for text in ("lost", "kept", "seen again"):
        await seen(store, text)
    await seen(store, "kept", DRAFT_KEPT)
    hand.passes(days=5)
    await seen(store, "seen again")
    hand.passes(seconds=1)

    assert await cleared(store) == {"drafts": 1}
    assert await drafts_of(store) == [DRAFT_SEEN, DRAFT_KEPT]
    async with store.read() as tx:
        assert await tx.versions.newest(PROD) is not None


async def test_a_draft_that_a_rollback_keeps_stays_kept_when_the_clock_sees_it_again(
    timed_store: SqlStore, hand: Hand
) -> None:
    await seen(timed_store, "work", DRAFT_KEPT)
    hand.passes(days=1)
    await seen(timed_store, "work")

    assert await drafts_of(timed_store) == [DRAFT_KEPT]


@pytest.mark.parametrize("kind", ["inbox", "outbox", "alerts", "drafts"])
def test_what_is_done_with_is_kept_for_a_day_at_least(kind: str) -> None:
    with pytest.raises(ValueError, match="a day"):
        Keeping(**{kind: timedelta(hours=23)})


async def test_a_webhook_that_could_not_be_filed_goes_with_those_that_were(
    timed_store: SqlStore, hand: Hand
) -> None:
    store = timed_store
    await store.keep([a_delivery()])
    async with store.read() as tx:
        (one,) = (await tx.arrivals.waiting()).ids
    async with store.write() as tx:
        await tx.arrivals.set_aside(one, "Unreadable: it cannot be read")

    hand.passes(days=4)
    assert await cleared(store) == {}
    hand.passes(seconds=1)
    assert await cleared(store) == {"webhooks_set_aside": 1}
