"""What no database keeps is refused by name, and nothing of its transaction stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from store.records import NaiveTime, StoreError
from store.session import SqlStore, Transaction
from tests.builders import NOON, PROD, a_firing
from tests.contract.store.things import (
    a_delivery,
    a_document,
    an_entry,
    an_item,
    an_open_case,
    an_open_rollback,
    new_version,
    outgoing,
    recorded,
    taken,
)

NAIVE = NOON.replace(tzinfo=None)
Writing = Callable[[Transaction], Awaitable[object]]

NAIVE_TIMES: dict[str, Writing] = {
    "a version": lambda tx: tx.versions.record(new_version(published_at=NAIVE), a_document()),
    "a firing's start": lambda tx: tx.alerts.take(a_delivery(a_firing(starts_at=NAIVE))),
    "a firing's end": lambda tx: tx.alerts.take(a_delivery(a_firing(ends_at=NAIVE))),
    "an outgoing row": lambda tx: tx.outbox.put(outgoing("r", not_before=NAIVE)),
}
ODD_TEXTS: dict[str, Callable[[str], Writing]] = {
    "an external id": lambda odd: lambda tx: tx.versions.record(new_version(odd), a_document()),
    "a comment": lambda odd: (
        lambda tx: tx.versions.record(new_version(external_comment=odd), a_document())
    ),
    "a fingerprint": lambda odd: lambda tx: tx.alerts.take(a_delivery(a_firing(fingerprint=odd))),
    "an action": lambda odd: lambda tx: tx.inbox.put(an_item(action=odd)),
    "a destination": lambda odd: lambda tx: tx.outbox.put(outgoing("r", destination=odd)),
    "an order key": lambda odd: lambda tx: tx.outbox.put(outgoing("r", odd)),
    "who did it": lambda odd: lambda tx: tx.audit.append(an_entry(user_id=odd)),
    "a channel": lambda odd: lambda tx: tx.cases.open_for(PROD, channel=odd, entry=an_entry()),
}


@pytest.mark.parametrize("name", NAIVE_TIMES)
async def test_a_time_without_a_zone_is_refused(store: SqlStore, name: str) -> None:
    async def attempt() -> None:
        async with store.write() as tx:
            await tx.inbox.put(an_item())
            await NAIVE_TIMES[name](tx)

    with pytest.raises(NaiveTime):
        await attempt()

    async with store.write() as tx:
        assert await tx.inbox.put(an_item())


async def test_a_case_and_a_rollback_refuse_times_without_a_zone(store: SqlStore) -> None:
    rollback = await an_open_rollback(store)
    case = await an_open_case(store)

    with pytest.raises(NaiveTime):
        async with store.write() as tx:
            await tx.cases.save(replace(case, assess_at=NAIVE), was=case.revision)

    async def attempt() -> None:
        async with store.write() as tx:
            late = replace(rollback, expires_at=NAIVE)
            await tx.rollbacks.save(late, was=rollback.revision, entry=None)

    with pytest.raises(NaiveTime):
        await attempt()


@pytest.mark.parametrize("odd", ["a\0b", "half \ud800 a character"], ids=["NUL", "surrogate"])
@pytest.mark.parametrize("name", ODD_TEXTS)
async def test_text_that_no_database_keeps_is_refused_by_name(
    store: SqlStore, name: str, odd: str
) -> None:
    with pytest.raises(StoreError) as refused:
        async with store.write() as tx:
            await ODD_TEXTS[name](odd)(tx)

    assert isinstance(refused.value, ValueError)
    assert odd not in str(refused.value)


async def test_payloads_that_are_no_json_are_refused_by_name(store: SqlStore) -> None:
    for odd in ({"half": "\ud800"}, {"not": object()}, {"nan": float("inf")}, {"at": NOON}):
        with pytest.raises(StoreError):
            async with store.write() as tx:
                await tx.inbox.put(an_item(payload=odd))


async def test_a_nul_inside_of_a_payload_is_kept(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.inbox.put(an_item(payload={"text": "a\0b"}))
        item = await tx.inbox.claim("one", lease=timedelta(seconds=1))

    assert item is not None
    assert item.payload == {"text": "a\0b"}


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),  # Alertmanager's "no time"
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
        datetime(1969, 7, 20, 20, 17, tzinfo=UTC),
    ],
    ids=str,
)
async def test_a_moment_comes_back_as_the_same_moment_in_utc(
    store: SqlStore, moment: datetime
) -> None:
    version = await recorded(store, new_version(published_at=moment), a_document())

    async with store.read() as tx:
        stored = await tx.versions.get(version.id)

    assert stored.published_at == moment
    assert stored.published_at.tzinfo is UTC
    assert version == stored


async def test_moments_are_ordered_in_the_database_as_they_are_in_time(store: SqlStore) -> None:
    zone = timezone(timedelta(hours=14))
    moments = [NOON, NOON + timedelta(microseconds=1), NOON.astimezone(zone) - timedelta(hours=1)]
    await taken(
        store,
        a_delivery(*(a_firing(fingerprint=str(n), starts_at=m) for n, m in enumerate(moments))),
    )

    async with store.read() as tx:
        waiting = await tx.alerts.unassigned([PROD])

    assert [f.fingerprint for f in waiting] == ["2", "0", "1"]


async def test_text_of_every_script_comes_back_as_it_was(store: SqlStore) -> None:
    text = "ß 日本 😀 \u202e \u2028 ' \" \\ \n\t ; DROP TABLE cases; --"
    async with store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=text, entry=an_entry(action=text))
        assert case.channel == text
    async with store.read() as tx:
        assert (await tx.audit.entries())[0].action == text
