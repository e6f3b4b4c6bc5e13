"""What is counted of the whole database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from store.records import AuditDraft, NewOutgoing, OutboxKind
from store.session import SqlStore
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE, a_delivery

MINUTE = timedelta(minutes=1)


def said(action: str, status: str = "ok") -> AuditDraft:
    return AuditDraft("U0ALICE", action, "rollback/1", status, {}, ip_note="a test")


async def test_audit_entries_are_counted_by_action_and_status_between_two_numbers(
    store: SqlStore,
) -> None:
    async with store.write() as tx:
        await tx.audit.append_many([said("approve"), said("approve"), said("approve", "refused")])
    async with store.write() as tx:
        await tx.audit.append(said("reject"))
    async with store.read() as tx:
        head, _ = await tx.audit.head()
        everything = await tx.figures.audited(after=0, until=head)
        later = await tx.figures.audited(after=head - 1, until=head)
        nothing = await tx.figures.audited(after=head, until=head)

    assert everything[("approve", "ok")] == 2
    assert everything[("approve", "refused")] == 1
    assert sum(everything.values()) == head
    assert later == {("reject", "ok"): 1}
    assert nothing == {}


async def test_a_queue_tells_how_much_waits_and_since_when(
    timed_store: SqlStore, hand: Hand
) -> None:
    async with timed_store.write() as tx:
        began = await tx.now()
        await tx.outbox.put(outgoing("first"))
    hand.pass_by(MINUTE)
    async with timed_store.write() as tx:
        await tx.outbox.put(outgoing("second"))
    async with timed_store.read() as tx:
        inbox, people, *others = await tx.figures.backlogs()

    assert (inbox.queue, inbox.waiting, inbox.oldest) == ("inbox", 0, None)
    assert (people.queue, people.waiting, people.oldest) == ("people", 2, began)
    assert [one.queue for one in others] == [
        "alertmanager",
        "anchors",
        "core",
        "arrivals",
        "set_aside",
    ]
    assert {(one.waiting, one.oldest) for one in others} == {(0, None)}


async def test_what_waits_is_told_by_where_it_goes(timed_store: SqlStore, hand: Hand) -> None:
    """What Alertmanager does not take is not late in Slack."""
    began = hand.at
    for kind in OutboxKind:
        async with timed_store.write() as tx:
            await tx.outbox.put(outgoing(kind.value, kind))
        hand.pass_by(MINUTE)
    async with timed_store.read() as tx:
        _, *found, _, _ = await tx.figures.backlogs()

    def first(*kinds: OutboxKind) -> datetime:
        return began + min(list(OutboxKind).index(kind) for kind in kinds) * MINUTE

    assert {one.queue: (one.waiting, one.oldest) for one in found} == {
        "people": (8, began),
        "alertmanager": (2, first(OutboxKind.ALERT, OutboxKind.SILENCE)),
        "anchors": (1, first(OutboxKind.ANCHOR)),
        "core": (1, first(OutboxKind.PUBLISHED)),
    }


async def test_what_is_to_be_told_later_waits_from_then_on(
    timed_store: SqlStore, hand: Hand
) -> None:
    then = hand.at + 10 * MINUTE
    async with timed_store.write() as tx:
        await tx.outbox.put(replace(outgoing("again", OutboxKind.ALERT), not_before=then))

    async def waits() -> tuple[int, datetime | None]:
        async with timed_store.read() as tx:
            found = {one.queue: one for one in await tx.figures.backlogs()}
        return found["alertmanager"].waiting, found["alertmanager"].oldest

    assert await waits() == (0, None)
    hand.pass_by(11 * MINUTE)
    assert await waits() == (1, then)


async def test_what_was_tried_and_waits_to_be_tried_again_waits(
    timed_store: SqlStore, hand: Hand
) -> None:
    async with timed_store.write() as tx:
        began = await tx.now()
        await tx.outbox.put(replace(outgoing("card"), coalesce_key="card"))
    async with timed_store.write() as tx:
        row = await tx.outbox.claim("worker", lease=LEASE)
        assert row is not None
        await tx.outbox.throttled(row.id, owner="worker", delay=10 * MINUTE)
    async with timed_store.read() as tx:
        _, people, *_ = await tx.figures.backlogs()
    assert (people.waiting, people.oldest) == (1, began)

    hand.pass_by(MINUTE)
    async with timed_store.write() as tx:  # in its place, and it has to wait as long
        await tx.outbox.put(replace(outgoing("newer card"), coalesce_key="card"))
    async with timed_store.read() as tx:
        _, people, *_ = await tx.figures.backlogs()
    assert (people.waiting, people.oldest) == (1, began + MINUTE)


async def test_what_was_sent_waits_no_longer(timed_store: SqlStore) -> None:
    async with timed_store.write() as tx:
        await tx.outbox.put(outgoing("only"))
    async with timed_store.write() as tx:
        row = await tx.outbox.claim("worker", lease=LEASE)
        assert row is not None
        await tx.outbox.sent(row.id, owner="worker")
    async with timed_store.read() as tx:
        _, people, *_ = await tx.figures.backlogs()

    assert (people.waiting, people.oldest) == (0, None)


async def test_a_job_tells_when_it_was_finished_last(timed_store: SqlStore, hand: Hand) -> None:
    for job, finished in (("snapshot", True), ("snapshot", True), ("expire", False)):
        hand.pass_by(MINUTE)
        async with timed_store.write() as tx:
            now = await tx.now()
            slot = await tx.slots.claim(job, period=MINUTE, owner="one", lease=LEASE)
            assert slot is not None
            if finished:
                await tx.slots.finish(slot)
                last = now
    async with timed_store.read() as tx:
        assert await tx.figures.ticked(["snapshot", "expire", "prune"]) == {"snapshot": last}
        assert await tx.figures.ticked(["expire"]) == {}


def outgoing(name: str, kind: OutboxKind = OutboxKind.NOTICE) -> NewOutgoing:
    return NewOutgoing(kind, "C0", name, name, {})


async def test_what_is_kept_and_not_filed_is_counted_by_its_ids(
    timed_store: SqlStore, hand: Hand
) -> None:
    began = hand.at
    await timed_store.keep([a_delivery(digest=f"d{n}") for n in range(3)])
    hand.pass_by(MINUTE)
    await timed_store.keep([a_delivery(digest="d3")])
    async with timed_store.read() as tx:
        *_, arrivals, aside = await tx.figures.backlogs()
        first, *_ = (await tx.arrivals.waiting()).ids
    assert (arrivals.queue, arrivals.waiting, arrivals.oldest) == ("arrivals", 4, began)
    assert (aside.queue, aside.waiting, aside.oldest) == ("set_aside", 0, None)

    async with timed_store.write() as tx:
        await tx.arrivals.set_aside(first, "Unreadable")
        *_, arrivals, aside = await tx.figures.backlogs()
    assert (arrivals.waiting, aside.waiting, aside.oldest) == (3, 1, began)
