"""What the store promises of silences, and of rows that leave for different workers."""

from __future__ import annotations

from datetime import timedelta

from bot.ports.store import Store
from store.records import TO_ALERTMANAGER, TO_PEOPLE, AppEnv, NewOutgoing, OutboxKind
from store.session import SqlStore
from tests.builders import ALICE, PROD
from tests.contract.store.raw import Hand
from tests.unit.services.scene import ENTRY

STAGING = AppEnv(PROD.app, "staging")
LEASE = timedelta(seconds=30)


async def silence(store: Store, where: AppEnv = PROD, minutes: int = 30) -> int:
    async with store.write() as tx:
        until = await tx.now() + timedelta(minutes=minutes)
        made = await tx.silences.begin(where, until, alerts=["A"], slack_id=ALICE, entry=ENTRY)
        return made.number


async def test_a_silence_holds_for_its_app_alone_until_its_time(
    timed_store: SqlStore, hand: Hand
) -> None:
    number = await silence(timed_store)

    async with timed_store.read() as tx:
        found = await tx.silences.of(PROD)
        assert found is not None
        assert (found.number, found.alerts, found.slack_id) == (number, ("A",), ALICE)
        assert await tx.silences.of(STAGING) is None
        assert len(await tx.audit.entries()) == 1
    hand.passes(minutes=30)
    async with timed_store.read() as tx:
        assert await tx.silences.of(PROD) is None


async def test_the_newest_silence_of_an_app_is_the_one(timed_store: SqlStore) -> None:
    first = await silence(timed_store)
    second = await silence(timed_store, minutes=60)

    async with timed_store.read() as tx:
        found = await tx.silences.of(PROD)
    assert found is not None
    assert first < second == found.number


async def test_what_somebody_ended_is_told_of_for_a_while(
    timed_store: SqlStore, hand: Hand
) -> None:
    await silence(timed_store)
    await silence(timed_store, STAGING, minutes=5)
    hand.passes(minutes=1)
    async with timed_store.write() as tx:
        await tx.silences.end(PROD, entry=ENTRY)

    async with timed_store.read() as tx:
        lately = await tx.silences.lately([PROD, STAGING, AppEnv("other", "prod")], LEASE)
        assert await tx.silences.of(PROD) is None
        assert await tx.silences.lately([], LEASE) == []
    assert {one.where for one in lately} == {PROD, STAGING}
    hand.passes(minutes=1)
    async with timed_store.read() as tx:
        lately = await tx.silences.lately([PROD, STAGING], LEASE)
    assert {one.where for one in lately} == {STAGING}


async def test_a_worker_gets_rows_of_its_kinds_alone(store: Store) -> None:
    async with store.write() as tx:
        for kind in (OutboxKind.ALERT, OutboxKind.NOTICE):
            await tx.outbox.put(NewOutgoing(kind, "there", kind.value, kind.value, {}))

    async with store.write() as tx:
        told = await tx.outbox.claim("one", lease=LEASE, kinds=TO_PEOPLE)
        raised = await tx.outbox.claim("two", lease=LEASE, kinds=TO_ALERTMANAGER)
        assert await tx.outbox.claim("two", lease=LEASE) is None
    assert told is not None
    assert raised is not None
    assert (told.kind, raised.kind) == (OutboxKind.NOTICE, OutboxKind.ALERT)
