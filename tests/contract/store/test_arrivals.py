"""What is acknowledged waits in order, is filed once, and is lost by nobody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bot.domain.approval import MOVES
from store.records import (
    Firing,
    FiringStatus,
    NaiveTime,
    NotMigrated,
    Unavailable,
    Unreadable,
    Unstorable,
)
from store.session import SqlStore, open_store
from store.taking import Taking
from tests.arriving import delivered, file_all
from tests.builders import NOON, PROD, a_firing
from tests.contract.store import behind, raw
from tests.contract.store.raw import Hand
from tests.contract.store.things import a_delivery, an_item

MINUTE = timedelta(minutes=1)
NOBODYS = a_firing(where=None, labels={"alertname": "Other"})
SEEN = "SELECT first_seen, last_seen FROM {}"


async def waiting(store: SqlStore, **most: int) -> tuple[int, ...]:
    async with store.read() as tx:
        return (await tx.arrivals.waiting(**most)).ids


async def firings(store: SqlStore) -> list[Firing]:
    async with store.read() as tx:
        return await tx.alerts.unassigned([PROD], limit=5000)


async def rows(url: str, table: str) -> int:
    ((number,),) = await raw.run(url, f"SELECT count(*) FROM {table}")
    return int(number)


async def test_what_is_kept_can_be_seen_when_it_is_filed_and_not_before(store: SqlStore) -> None:
    await store.keep([a_delivery()])
    assert await firings(store) == []

    assert await store.file(await waiting(store))

    (firing,) = await firings(store)
    assert replace(firing, id=0) == a_firing()
    assert await waiting(store) == ()


async def test_everything_of_a_delivery_comes_through(store: SqlStore, database_url: str) -> None:
    over = a_firing(
        fingerprint="ünï",
        status=FiringStatus.RESOLVED,
        ends_at=NOON + MINUTE,
        labels={"app": "Käse", "env": "prod", "emoji": "🗝"},
        annotations={"summary": 'a "quoted" line\nand another'},
    )
    told = a_delivery(over, a_firing(), digest="whole", truncated=7, body=b"\x00\xff", receiver="r")

    await delivered(store, told)

    of = "source, receiver, group_key, digest, truncated, count"
    (found,) = await raw.run(database_url, f"SELECT {of} FROM delivery")
    assert found == ("alertmanager", "r", told.group_key, "whole", 7, 1)
    (body,) = (row[0] for row in await raw.run(database_url, "SELECT body FROM delivery"))
    assert bytes(body) == told.body
    async with store.read() as tx:
        kept = await tx.alerts.around("prod", since=NOON - 9 * MINUTE, until=NOON)
    assert sorted((replace(one, id=0) for one in kept), key=lambda one: one.fingerprint) == sorted(
        told.firings, key=lambda one: one.fingerprint
    )


async def test_what_means_a_watched_app_is_filed_before_what_came_earlier(store: SqlStore) -> None:
    await store.keep([a_delivery(NOBODYS, digest=f"n{n}") for n in range(3)])
    await store.keep([a_delivery(), a_delivery(NOBODYS, digest="last")])

    async with store.read() as tx:
        found = await tx.arrivals.waiting()
    first, *others = found.ids
    assert others == sorted(others)
    assert first > others[2]
    assert (found.watched, found.left) == (True, 5)

    assert await store.file([first])
    async with store.read() as tx:
        assert not (await tx.arrivals.waiting()).watched
    assert len(await firings(store)) == 1


async def test_a_look_takes_what_one_transaction_should_hold(store: SqlStore) -> None:
    many = [a_firing(fingerprint=f"{n:x}") for n in range(600)]
    huge = [a_firing(fingerprint=f"huge-{n}") for n in range(1500)]
    await store.keep([a_delivery(*huge), a_delivery(*many, digest="d2"), a_delivery(digest="d3")])

    alone = await waiting(store)
    assert len(alone) == 1, "one of more alerts than that goes alone"
    assert await store.file(alone)
    assert len(await waiting(store)) == 2
    assert len(await waiting(store, most=1)) == 1

    await file_all(store)
    assert len(await firings(store)) == 2101


@pytest.mark.parametrize("number", [1, 2, 3, 255, 256, 257, 700])
async def test_a_group_of_any_size_is_kept_whole(
    store: SqlStore, database_url: str, number: int
) -> None:
    await store.keep([a_delivery(digest=f"d{n:03}") for n in range(number)])

    assert await rows(database_url, "arrival") == number
    await file_all(store)
    assert await rows(database_url, "delivery") == number
    assert await rows(database_url, "arrival") == 0


async def test_large_deliveries_are_kept_beside_the_loop_and_come_through(store: SqlStore) -> None:
    many = tuple(a_firing(fingerprint=f"{n:x}") for n in range(900))

    await delivered(store, a_delivery(*many, body=b"x" * 200_000))

    assert len(await firings(store)) == 900


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (a_firing(fingerprint="a\0b"), Unstorable),
        (a_firing(labels={"app": "\0"}), Unstorable),
        (a_firing(annotations={"a": "\ud800"}), Unstorable),
        (a_firing(starts_at=NOON.replace(tzinfo=None)), NaiveTime),
        (a_firing(ends_at=NOON.replace(tzinfo=None)), NaiveTime),
    ],
)
async def test_what_could_not_be_filed_is_not_acknowledged(
    store: SqlStore, database_url: str, odd: Firing, why: type[Exception]
) -> None:
    with pytest.raises(why):
        await store.keep([a_delivery(), a_delivery(odd, digest="odd")])

    assert await rows(database_url, "arrival") == 0


async def test_it_was_seen_when_it_arrived_however_late_it_is_filed(
    timed_store: SqlStore, hand: Hand, database_url: str
) -> None:
    await timed_store.keep([a_delivery()])
    hand.pass_by(MINUTE)
    await timed_store.keep([a_delivery()])
    hand.pass_by(MINUTE)
    await file_all(timed_store)

    for table in ("firing", "delivery"):
        (seen,) = await raw.run(database_url, SEEN.format(table))
        assert [str(at)[:19] for at in seen] == ["2026-11-24 12:00:00", "2026-11-24 12:01:00"]


async def test_filed_in_another_order_it_was_seen_at_the_same_times(
    timed_store: SqlStore, hand: Hand, database_url: str
) -> None:
    for _ in range(3):
        await timed_store.keep([a_delivery()])
        hand.pass_by(MINUTE)
    for one in reversed(await waiting(timed_store)):
        assert await timed_store.file([one])

    for table in ("firing", "delivery"):
        (seen,) = await raw.run(database_url, SEEN.format(table))
        assert [str(at)[:19] for at in seen] == ["2026-11-24 12:00:00", "2026-11-24 12:02:00"]


async def test_of_two_who_file_the_same_one_does(
    timed_store: SqlStore, replica: SqlStore, database_url: str
) -> None:
    for n in range(10):
        await timed_store.keep([a_delivery(digest=f"{n}-{m}") for m in range(500)])
        ids = await waiting(timed_store)

        async with asyncio.timeout(30):
            done = await asyncio.gather(*(one.file(ids) for one in (timed_store, replica)))

        assert sorted(done) == [False, True]
    assert await raw.run(database_url, "SELECT sum(count) FROM delivery") == [(5000,)]


async def test_when_one_of_them_is_gone_none_is_filed(store: SqlStore, database_url: str) -> None:
    await store.keep([a_delivery(digest=f"d{n}") for n in range(3)])
    ids = await waiting(store)
    assert await store.file(ids[:1])

    assert not await store.file(ids)

    assert await rows(database_url, "delivery") == 1
    assert await waiting(store) == ids[1:]


async def test_an_id_is_never_given_twice(store: SqlStore) -> None:
    """Who read one that is filed by now would file another in its place."""
    given: set[int] = set()
    for n in range(3):
        await store.keep([a_delivery(digest=f"d{n}")])
        (one,) = await waiting(store)
        assert one not in given
        given.add(one)
        await file_all(store)


async def test_who_comes_between_the_look_and_the_filing_takes_them_all_away(
    store: SqlStore, database_url: str
) -> None:
    """Between what is read and what is written somebody else may have filed one of them."""
    await store.keep([a_delivery(digest=f"d{n}") for n in range(2)])
    first, second = await waiting(store)
    async with store.read() as tx:
        statements = await Taking(store._writing.dialect.name).statements(
            await tx.arrivals.of([first, second])
        )
    assert await store.file([first])

    assert not await store._lane.file([first, second], statements)

    assert await rows(database_url, "delivery") == 1
    assert await waiting(store) == (second,)


_NO_MAP: list[object] = ["s", "f", "2026-11-24T11:55:00+00:00", None, "firing", [], {}, None]
NO_MAP = json.dumps(["s", "r", "g", "d", 0, None, [_NO_MAP]])


@pytest.mark.parametrize("half", ["half of i", "[]", "{}", NO_MAP])
async def test_one_that_cannot_be_read_is_named_until_it_is_set_aside_and_put_back(
    store: SqlStore, database_url: str, half: str
) -> None:
    await store.keep([a_delivery(), a_delivery(digest="d2")])
    broken, sound = await waiting(store)
    ((content,),) = await raw.run(
        database_url, "SELECT content FROM arrival WHERE id = :id", id=broken
    )
    change = "UPDATE arrival SET content = :content WHERE id = :id"
    await raw.run(database_url, change, id=broken, content=half)

    with pytest.raises(Unreadable, match=f"arrival {broken} cannot be read"):
        await store.file([broken, sound])
    assert await waiting(store) == (broken, sound)

    await file_all(store)

    assert len(await firings(store)) == 1
    assert await waiting(store) == ()
    async with store.read() as tx:
        (aside,) = await tx.arrivals.aside()
    assert (aside.id, aside.alerts) == (broken, 1)
    assert aside.why == f"Unreadable: arrival {broken} cannot be read"

    await raw.run(database_url, change, id=broken, content=content)
    async with store.write() as tx:
        assert await tx.arrivals.put_back() == 1
    await file_all(store)
    assert await rows(database_url, "delivery") == 2
    assert await rows(database_url, "arrival") == 0


async def test_what_a_later_version_kept_waits_for_it_and_holds_nobody_up(
    store: SqlStore, database_url: str
) -> None:
    await store.keep([a_delivery(), a_delivery(digest="d2")])
    first, _ = await waiting(store)
    later = "UPDATE arrival SET form = 2, content = 'new' WHERE id = :id"
    await raw.run(database_url, later, id=first)

    await file_all(store)

    assert await raw.run(database_url, "SELECT digest FROM delivery") == [("d2",)]
    found = await raw.run(database_url, "SELECT id, set_aside FROM arrival")
    assert found == [(first, "")]


async def test_a_database_that_lacks_something_sets_nothing_aside(
    store: SqlStore, database_url: str
) -> None:
    await store.keep([a_delivery(), a_delivery(digest="d2")])
    await raw.run(database_url, "ALTER TABLE firing RENAME TO elsewhere")

    with pytest.raises(NotMigrated):
        await file_all(store)

    await raw.run(database_url, "ALTER TABLE elsewhere RENAME TO firing")
    await file_all(store)
    assert await rows(database_url, "delivery") == 2


async def test_what_is_filed_at_once_fits_into_memory(store: SqlStore) -> None:
    large = b"x" * (3 * 1024 * 1024)
    for n in range(5):
        await store.keep([a_delivery(digest=f"d{n}", body=large)])

    assert len(await waiting(store)) == 2

    await file_all(store)
    assert len(await firings(store)) == 1


async def test_ends_without_a_time_are_when_the_first_of_them_came(
    timed_store: SqlStore, hand: Hand
) -> None:
    over = replace(a_firing(), status=FiringStatus.RESOLVED)
    await delivered(timed_store, a_delivery())
    for n in range(2):
        hand.pass_by(MINUTE)
        await timed_store.keep([a_delivery(over, digest=f"over-{n}")])
    await file_all(timed_store)

    async with timed_store.read() as tx:
        (found,) = await tx.alerts.around("prod", since=NOON - 9 * MINUTE, until=NOON)
    assert found.ends_at == NOON + MINUTE


async def test_who_keeps_waits_for_a_writer_to_end(store: SqlStore, database_url: str) -> None:
    """On SQLite both use one connection: it would be a part of what the other does."""
    async with store.write() as tx:
        await tx.inbox.put(an_item("item"))
        keeping = asyncio.create_task(store.keep([a_delivery()]))
        at_once = database_url.startswith("postgresql")
        await asyncio.wait({keeping}, timeout=20 if at_once else 0.2)
        assert keeping.done() == at_once
    await keeping

    assert await rows(database_url, "inbox") == 1
    assert await rows(database_url, "arrival") == 1


async def connection_of(store: SqlStore) -> Any:
    """The one that writes, past SQLAlchemy."""
    async with store._writing.connect() as connection:
        return (await connection.get_raw_connection()).driver_connection


async def test_a_connection_with_a_transaction_of_nobody_is_given_up(
    sqlite_url: str, sqlite_store: SqlStore
) -> None:
    """What were kept in it would be told to be durable, and be rolled back with it."""
    await sqlite_store.keep([a_delivery(digest="before")])
    driver = await connection_of(sqlite_store)
    await driver.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable):
        await sqlite_store.keep([a_delivery()])
    assert await rows(sqlite_url, "arrival") == 1

    await sqlite_store.keep([a_delivery()])
    assert await rows(sqlite_url, "arrival") == 2


async def test_a_connection_that_was_closed_is_given_up(
    sqlite_url: str, sqlite_store: SqlStore
) -> None:
    await sqlite_store.keep([a_delivery(digest="before")])
    driver = await connection_of(sqlite_store)
    await driver.close()

    with pytest.raises(Unavailable):
        await sqlite_store.keep([a_delivery()])

    await sqlite_store.keep([a_delivery()])
    assert await rows(sqlite_url, "arrival") == 2


async def test_who_keeps_and_who_writes_take_turns(store: SqlStore, database_url: str) -> None:
    async def write(number: int) -> None:
        async with store.write() as tx:
            await tx.inbox.put(an_item(f"item-{number}"))

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(write(n) for n in range(40)),
            *(store.keep([a_delivery(digest=f"d{n}")]) for n in range(40)),
        )
        await file_all(store)

    assert await rows(database_url, "inbox") == 40
    assert await rows(database_url, "delivery") == 40


async def test_a_connection_that_was_cut_meanwhile_costs_no_delivery(postgres_url: str) -> None:
    store = await open_store(postgres_url, moves=MOVES, durable=False)
    try:
        await store.keep([a_delivery(digest="before")])
        for n in range(3):
            await behind.cut_connections(postgres_url)
            await store.keep([a_delivery(digest=f"after-{n}")])
    finally:
        await store.close()

    assert await rows(postgres_url, "arrival") == 4


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (asyncpg.ConnectionDoesNotExistError("cut"), 2),
        (asyncpg.InterfaceError("connection is closed"), 2),
        (ConnectionResetError(), 2),
        (TimeoutError(), 1),
        (asyncpg.DiskFullError("full"), 1),
    ],
)
async def test_only_a_cut_is_tried_again_and_only_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, fault: Exception, tries: int
) -> None:
    """A database that does not answer would be waited for twice."""
    asked = 0

    async def broken(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise fault

    store = await open_store(postgres_url, moves=MOVES, durable=False)
    try:
        await store.keep([a_delivery()])
        with monkeypatch.context() as patch:
            patch.setattr("store.lanes.append_there", broken)
            with pytest.raises(Unavailable):
                await store.keep([a_delivery(digest="d2")])
            assert asked == tries
            with pytest.raises(Unavailable):
                await store.keep([a_delivery(digest="d2")])
            assert asked == tries + 1, "of a new connection it is no cut"
        await store.keep([a_delivery(digest="d3")])
    finally:
        await store.close()

    assert await rows(postgres_url, "arrival") == 2


async def test_nothing_is_kept_in_a_store_that_was_closed_meanwhile(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(postgres_url, moves=MOVES, durable=False)
    await store.keep([a_delivery()])
    hangs = asyncio.Event()

    async def hanging(driver: asyncpg.Connection, *_: object) -> None:
        hangs.set()
        await driver.execute("SELECT pg_sleep(30)")

    monkeypatch.setattr("store.lanes.append_there", hanging)
    keeping = asyncio.create_task(store.keep([a_delivery(digest="d2")]))
    await hangs.wait()
    await store.close()

    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await keeping
    assert await rows(postgres_url, "arrival") == 1


async def test_more_cut_off_than_can_be_counted_is_not_acknowledged(store: SqlStore) -> None:
    with pytest.raises(Unstorable):
        await store.keep([a_delivery(truncated=2**63)])
