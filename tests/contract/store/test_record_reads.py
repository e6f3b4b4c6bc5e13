"""What the record of one rollback is read from, out of the middle of everything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from store.records import AuditEntry, NewOutgoing, OutboxKind, State
from store.session import SqlStore
from tests.builders import NOON, PROD
from tests.contract.store import behind
from tests.contract.store.raw import Hand
from tests.contract.store.things import OTHER, an_entry, an_open_rollback, moved

LONG_AGO = NOON - timedelta(days=30)


async def appended(store: SqlStore, *resources: str) -> None:
    async with store.write() as tx:
        await tx.audit.append_many(
            [replace(an_entry("done"), resource=resource) for resource in resources]
        )


async def about(store: SqlStore, *resources: str, **since: Any) -> list[AuditEntry]:
    async with store.read() as tx:
        return await tx.audit.about_any(resources, **{"since": LONG_AGO, **since})


async def test_entries_are_found_by_what_they_are_about_in_the_order_of_the_chain(
    store: SqlStore,
) -> None:
    await appended(store, "rollback/1", "rollback/10", "case/1")
    await appended(store, "app/x", "rollback/1")

    found = await about(store, "rollback/1", "case/1")

    assert [(e.seq, e.resource) for e in found] == [
        (1, "rollback/1"),
        (3, "case/1"),
        (5, "rollback/1"),
    ]


async def test_what_is_older_than_asked_for_is_not_looked_at(
    timed_store: SqlStore, hand: Hand
) -> None:
    await appended(timed_store, "case/1", "case/1", "other", "case/1")
    hand.passes(days=3)
    await appended(timed_store, "other", "case/1", "case/1")

    late = await about(timed_store, "case/1", since=NOON + timedelta(days=3))
    early = await about(timed_store, "case/1", since=NOON)

    assert [e.seq for e in late] == [6, 7]
    assert [e.seq for e in early] == [1, 2, 4, 6, 7]


async def test_of_an_empty_chain_nothing_is_found_and_nothing_is_wrong(store: SqlStore) -> None:
    assert await about(store, "case/1") == []
    async with store.read() as tx:
        assert await tx.audit.flaw_in([]) == ""


async def test_entries_out_of_the_middle_are_held_against_those_before_them(
    store: SqlStore,
) -> None:
    await appended(store, *(f"rollback/{n % 3}" for n in range(9)))
    found = await about(store, "rollback/1")

    async with store.read() as tx:
        assert await tx.audit.flaw_in(found) == ""
        forged = replace(found[1], user_id="mallory")
        assert "was changed" in await tx.audit.flaw_in([found[0], forged])
        elsewhere = replace(found[1], prev=found[0].prev)
        assert "does not follow" in await tx.audit.flaw_in([elsewhere])


async def test_an_entry_that_was_changed_in_the_database_does_not_verify(
    store: SqlStore, database_url: str
) -> None:
    await appended(store, "rollback/1", "rollback/2", "rollback/1")
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"UPDATE {behind.AUDIT} SET user_id = 'mallory' WHERE seq = 3")

    found = await about(store, "rollback/1")

    async with store.read() as tx:
        assert "entry 3 was changed" in await tx.audit.flaw_in(found)


async def test_a_head_that_was_cut_back_does_not_verify(store: SqlStore, database_url: str) -> None:
    await appended(store, "rollback/1", "rollback/2")
    async with behind.connected(database_url) as sql:
        await sql(f"UPDATE {behind.HEAD} SET seq = 1")

    found = await about(store, "rollback/1")

    async with store.read() as tx:
        assert "does not end at its recorded head" in await tx.audit.flaw_in(found)


async def test_a_rollback_s_life_is_told_step_by_step(store: SqlStore) -> None:
    draft = await an_open_rollback(store)
    shown = await moved(store, draft, State.PENDING_APPROVAL)
    async with store.write() as tx:
        after = shown.moved(shown.state, risk="high")
        await tx.rollbacks.save(after, was=shown.revision, entry=None)

    async with store.read() as tx:
        lived = await tx.rollbacks.lived(draft.id)

    assert [(one.revision, one.state, one.risk) for _, one in lived] == [
        (1, State.DRAFT, ""),
        (2, State.PENDING_APPROVAL, ""),
        (3, State.PENDING_APPROVAL, "high"),
    ]
    assert [at for at, _ in lived] == sorted(at for at, _ in lived)


async def test_the_newest_rollbacks_of_one_app_are_found_among_those_of_others(
    store: SqlStore,
) -> None:
    first = await an_open_rollback(store)
    other = await an_open_rollback(store, OTHER)
    await moved(store, first, State.SUPERSEDED)
    second = await an_open_rollback(store)

    async def newest(**asked: Any) -> list[int]:
        async with store.read() as tx:
            return [one.id for one in await tx.rollbacks.newest(**asked)]

    assert await newest(where=PROD) == [second.id, first.id]
    assert await newest(where=PROD, limit=1) == [second.id]
    assert await newest() == [second.id, other.id, first.id]


@pytest.mark.parametrize("sent", [True, False])
async def test_what_was_queued_is_found_by_its_order_and_kind_sent_or_not(
    store: SqlStore, sent: bool
) -> None:
    async with store.write() as tx:
        for number, kind in enumerate((OutboxKind.NOTE, OutboxKind.CHART, OutboxKind.CARD)):
            await tx.outbox.put(NewOutgoing(kind, "C1", "case:1", f"a{number}", {"n": number}))
        await tx.outbox.put(NewOutgoing(OutboxKind.NOTE, "C1", "case:2", "b", {}))
    if sent:
        async with store.write() as tx:
            row = await tx.outbox.claim("one", lease=timedelta(seconds=9))
            assert row is not None
            await tx.outbox.sent(row.id, owner="one")

    async with store.read() as tx:
        found = await tx.outbox.queued("case:1", (OutboxKind.NOTE, OutboxKind.CHART))

    assert [row.body for row in found] == [{"n": 0}, {"n": 1}]
