"""What is counted of the whole database."""

from __future__ import annotations

from datetime import timedelta

from store.records import AuditDraft, NewOutgoing, OutboxKind
from store.session import SqlStore
from tests.contract.store.raw import Hand
from tests.contract.store.things import LEASE

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
        inbox, outbox = await tx.figures.backlogs()

    assert (inbox.queue, inbox.waiting, inbox.oldest) == ("inbox", 0, None)
    assert (outbox.queue, outbox.waiting, outbox.oldest) == ("outbox", 2, began)


async def test_what_was_sent_waits_no_longer(timed_store: SqlStore) -> None:
    async with timed_store.write() as tx:
        await tx.outbox.put(outgoing("only"))
    async with timed_store.write() as tx:
        row = await tx.outbox.claim("worker", lease=LEASE)
        assert row is not None
        await tx.outbox.sent(row.id, owner="worker")
    async with timed_store.read() as tx:
        _, outbox = await tx.figures.backlogs()

    assert (outbox.waiting, outbox.oldest) == (0, None)


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


def outgoing(name: str) -> NewOutgoing:
    return NewOutgoing(OutboxKind.NOTICE, "C0", name, name, {})
