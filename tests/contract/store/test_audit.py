"""The audit chain: gapless, in the transaction of what it tells, refused to be rewritten."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sqlite3
from contextlib import suppress
from dataclasses import asdict, replace

import asyncpg
import pytest

from bot.domain.approval import MOVES
from store import chain
from store.audit import verify
from store.records import AuditEntry, Corrupt, Unstorable
from store.session import SqlStore, open_store
from tests.builders import NOON
from tests.contract.store import behind
from tests.contract.store.things import an_entry


async def appended(store: SqlStore, *actions: str) -> tuple[AuditEntry, ...]:
    async with store.write() as tx:
        await tx.audit.append_many([an_entry(action) for action in actions])
    if not actions:
        return ()
    async with store.read() as tx:
        seq, _ = await tx.audit.head()
        return tuple(await tx.audit.entries(after=seq - len(actions)))


async def test_an_empty_chain_starts_at_the_hash_of_its_tag(store: SqlStore) -> None:
    async with store.read() as tx:
        assert await tx.audit.head() == (0, hashlib.sha256(b"keyturn.audit.v1\n").hexdigest())
        assert await tx.audit.entries() == []
    assert (await verify(store)).ok


async def test_each_entry_holds_the_hash_of_the_one_before(timed_store: SqlStore) -> None:
    entries = (
        *await appended(timed_store, "first"),
        *await appended(timed_store, "second", "third"),
    )

    async with timed_store.read() as tx:
        assert await tx.audit.entries() == list(entries)
        assert await tx.audit.head() == (3, entries[-1].hash)
    assert [e.seq for e in entries] == [1, 2, 3]
    assert [e.prev for e in entries[1:]] == [e.hash for e in entries[:-1]]
    assert entries[0].timestamp == NOON.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_stranger_can_check_an_entry_with_nothing_but_its_fields(store: SqlStore) -> None:
    (entry,) = await appended(store, "vote")
    fields = asdict(entry)
    claimed = fields.pop("hash")

    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert hashlib.sha256(b"keyturn.audit.v1\n" + text.encode()).hexdigest() == claimed


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"text": 'ß – 日本 – 😀 – \u2028 – \\ – " – \n'},
        {"number": [0, -1, 2**53 + 1, 2**70, 1.5, 1e-7, 1e16, -0.0, 123456789.123456789]},
        {"deep": {"b": [True, False, None], "a": {"z": 1, "y": [[]]}}},
        {"nul": "a\u0000b"},
    ],
)
async def test_what_was_said_is_read_back_and_verified(
    store: SqlStore, what: dict[str, object]
) -> None:
    async with store.write() as tx:
        await tx.audit.append(an_entry(what=what, ip_addr="2001:db8::1"))

    async with store.read() as tx:
        (entry,) = await tx.audit.entries()
    assert (entry.what, entry.ip_addr) == (what, "2001:db8::1")
    assert (await verify(store)).ok


async def test_tuples_are_kept_as_the_lists_that_they_become(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.audit.append(an_entry(what={"names": ("a", "b")}))

    assert (await verify(store)).ok


@pytest.mark.parametrize(
    "what", [{"not": object()}, {"nan": float("nan")}, {"half": "\ud800"}, {"at": NOON}]
)
async def test_what_is_no_json_is_refused_by_name(store: SqlStore, what: dict[str, object]) -> None:
    with pytest.raises(Unstorable, match=r"^(the facts of )?test (are not JSON: .|has text with)"):
        async with store.write() as tx:
            await tx.audit.append(an_entry(what=what))

    async with store.read() as tx:
        assert await tx.audit.head() == (0, hashlib.sha256(b"keyturn.audit.v1\n").hexdigest())


async def test_no_entry_and_no_gap_is_left_by_a_transaction_that_failed(store: SqlStore) -> None:
    await appended(store, "first")

    async def attempt() -> None:
        async with store.write() as tx:
            await tx.audit.append(an_entry("lost"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()
    await appended(store, "second")

    async with store.read() as tx:
        assert [(e.seq, e.action) for e in await tx.audit.entries()] == [
            (1, "first"),
            (2, "second"),
        ]


async def test_nothing_to_append_is_nothing(store: SqlStore) -> None:
    assert await appended(store) == ()
    assert (await verify(store)).entries == 0


async def test_entries_of_many_replicas_make_one_chain(
    timed_store: SqlStore, replica: SqlStore
) -> None:
    await asyncio.gather(
        *(appended(s, f"a{n}", f"b{n}") for n in range(10) for s in (timed_store, replica))
    )

    found = await verify(timed_store)

    assert (found.ok, found.entries) == (True, 40)
    async with timed_store.read() as tx:
        actions = [e.action for e in await tx.audit.entries()]
    pairs = list(zip(actions[::2], actions[1::2], strict=True))
    assert all(a[0] == "a" and b == f"b{a[1:]}" for a, b in pairs)  # what is one stays together


async def test_entries_are_read_on_from_a_seq(store: SqlStore) -> None:
    await appended(store, *"abcde")

    async with store.read() as tx:
        assert [e.action for e in await tx.audit.entries(after=1, limit=2)] == ["b", "c"]
        assert await tx.audit.entries(after=5) == []


async def test_a_long_chain_is_verified_to_its_end(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.audit.BATCH", 7)
    await appended(store, *(f"a{n}" for n in range(21)))
    async with store.read() as tx:
        seq, head = await tx.audit.head()

    found = await verify(store)

    assert (found.ok, found.entries, found.head) == (True, seq, head)
    assert found.broken_at is None


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {behind.AUDIT} SET user_id = 'mallory' WHERE seq = 1",
        f"UPDATE {behind.AUDIT} SET user_id = user_id",
        f"DELETE FROM {behind.AUDIT} WHERE seq = 2",
        f"DELETE FROM {behind.AUDIT}",
        f"TRUNCATE {behind.AUDIT}",
        f"INSERT OR REPLACE INTO {behind.AUDIT} SELECT * FROM {behind.AUDIT}",
    ],
)
async def test_the_database_itself_refuses_to_change_an_entry(
    store: SqlStore, database_url: str, statement: str
) -> None:
    await appended(store, "first", "second")

    async with behind.connected(database_url) as sql:
        with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
            await sql(statement)

    found = await verify(store)
    assert (found.ok, found.entries) == (True, 2)


TAMPERINGS = {
    "edit": (f"UPDATE {behind.AUDIT} SET user_id = 'mallory' WHERE seq = 3", 3),
    "edit of what": (f"UPDATE {behind.AUDIT} SET what = '{{}}' WHERE seq = 2", 2),
    "edit of the last": (f"UPDATE {behind.AUDIT} SET status = 'refused' WHERE seq = 5", 5),
    "delete": (f"DELETE FROM {behind.AUDIT} WHERE seq = 3", 3),
    "delete of the first": (f"DELETE FROM {behind.AUDIT} WHERE seq = 1", 1),
    "truncate": (f"DELETE FROM {behind.AUDIT} WHERE seq > 3", 4),
    "everything": (f"DELETE FROM {behind.AUDIT}", 1),
    "reorder": (f"UPDATE {behind.AUDIT} SET seq = CASE seq WHEN 2 THEN 93 ELSE 92 END "
                "WHERE seq IN (2, 3)", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_a_chain_that_was_tampered_with_is_found_broken(
    store: SqlStore, database_url: str, name: str
) -> None:
    entries = await appended(store, *"abcde")
    before = [entries[0].prev, *(entry.hash for entry in entries)]
    statement, broken_at = TAMPERINGS[name]
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(statement)
        await sql(f"UPDATE {behind.AUDIT} SET seq = seq - 90 WHERE seq > 90")

    found = await verify(store)

    assert found.ok is False
    assert found.broken_at == broken_at
    assert found.entries == broken_at - 1
    assert found.head == before[broken_at - 1]  # as far as it can be believed
    assert found.why


async def test_a_chain_that_was_cut_off_is_said_with_where_it_ends_and_where_it_should(
    store: SqlStore, database_url: str
) -> None:
    entries = await appended(store, *"abcde")
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"DELETE FROM {behind.AUDIT} WHERE seq > 3")

    found = await verify(store)

    assert found.why == (
        f"the chain ends at 3 ({entries[2].hash[:12]}), "
        f"its recorded head is 5 ({entries[4].hash[:12]})"
    )


async def test_a_recorded_head_that_is_not_the_hash_of_the_last_entry_is_found(
    store: SqlStore, database_url: str
) -> None:
    """As many entries as there should be, and each follows the one before it."""
    await appended(store, "a", "b")
    async with behind.connected(database_url) as sql:
        await sql(f"UPDATE {behind.HEAD} SET hash = ?", "0" * 64)

    found = await verify(store)

    assert (found.ok, found.entries, found.broken_at) == (False, 2, 3)


async def test_without_its_head_the_chain_takes_nothing_and_nothing_is_done(
    store: SqlStore, database_url: str
) -> None:
    await appended(store, "first")
    async with behind.connected(database_url) as sql:
        await sql(f"DELETE FROM {behind.HEAD}")

    with pytest.raises(Corrupt, match=r"^the audit chain has lost its head: nothing can be"):
        await appended(store, "second")

    async with store.read() as tx:
        assert [entry.action for entry in await tx.audit.entries()] == ["first"]
        assert await tx.audit.head() == (0, chain.GENESIS)


async def test_an_entry_is_found_by_how_its_hash_begins_and_the_newest_of_several(
    store: SqlStore,
) -> None:
    entries = await appended(store, *(f"a{n}" for n in range(20)))

    async with store.read() as tx:
        for entry in entries:
            assert await tx.audit.find(entry.hash) == entry.seq
        first = entries[0].hash[0]
        assert await tx.audit.find(first) == max(e.seq for e in entries if e.hash[0] == first)
        assert await tx.audit.find("") == 20
        assert await tx.audit.find(entries[0].hash[1:]) is None
        for pattern in ("%", "_" * 64, entries[0].hash[:8] + "%"):
            assert await tx.audit.find(pattern) is None


async def test_entries_are_read_up_to_one_of_no_sense_which_is_named(
    store: SqlStore, database_url: str
) -> None:
    await appended(store, *"abc")
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"UPDATE {behind.AUDIT} SET what = ? WHERE seq = ?", "not json", 3)

    async with store.read() as tx:
        assert [entry.seq for entry in await tx.audit.entries(limit=10)] == [1, 2]
        with pytest.raises(Corrupt, match="what follows entry 2"):
            await tx.audit.entries(after=2, limit=10)


@pytest.mark.parametrize(
    "what",
    ["not json", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', "[]", '"text"', "null", "7"],
)
@pytest.mark.parametrize("seq", [2, 5])
async def test_facts_that_nobody_could_have_recorded_are_a_broken_chain_not_a_crash(
    store: SqlStore, database_url: str, what: str, seq: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.audit.BATCH", 4)
    await appended(store, *"abcde")
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"UPDATE {behind.AUDIT} SET what = ? WHERE seq = ?", what, seq)

    found = await verify(store)

    assert (found.ok, found.entries, found.broken_at) == (False, seq - 1, seq)
    assert f"entry {seq}" in found.why or found.why == (
        f"what follows entry {seq - 1} was changed: it cannot be read"
    )


async def test_an_entry_beyond_the_head_that_cannot_be_read_is_found_too(
    store: SqlStore, database_url: str
) -> None:
    entries = await appended(store, "a", "b")
    async with behind.connected(database_url) as sql:
        await behind.insert_audit(sql, replace(entries[1], seq=3, hash="0" * 64))
        await behind.unlock_audit(sql)
        await sql(f"UPDATE {behind.AUDIT} SET what = 'not json' WHERE seq = 3")

    found = await verify(store)

    assert (found.ok, found.entries, found.broken_at) == (False, 2, 3)


async def test_an_entry_that_was_put_between_is_found(store: SqlStore, database_url: str) -> None:
    entries = await appended(store, *"abcde")
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"UPDATE {behind.AUDIT} SET seq = seq + 91 WHERE seq > 2")
        await sql(f"UPDATE {behind.AUDIT} SET seq = seq - 90 WHERE seq > 90")
        await behind.insert_audit(sql, replace(entries[2], user_id="mallory"))

    found = await verify(store)

    assert (found.ok, found.broken_at) == (False, 3)


async def test_a_well_made_entry_beyond_the_recorded_head_is_found(
    store: SqlStore, database_url: str
) -> None:
    """Somebody appended without the lock that makes the chain one, or put the head back."""
    await appended(store, "a", "b")
    async with behind.connected(database_url) as sql:
        (head,) = await sql(f"SELECT * FROM {behind.HEAD}")
        await appended(store, "c")
        await sql(f"DELETE FROM {behind.HEAD}")
        marks = ", ".join("?" * len(head))
        await sql(f"INSERT INTO {behind.HEAD} VALUES ({marks})", *head)

    found = await verify(store)

    assert (found.ok, found.broken_at) == (False, 3)


async def test_a_forged_hash_of_one_entry_breaks_the_next(
    store: SqlStore, database_url: str
) -> None:
    """The entry itself is whole again; the chain is not."""
    entries = await appended(store, *"abcde")
    forged = behind.rehashed(replace(entries[1], user_id="mallory"))
    async with behind.connected(database_url) as sql:
        await behind.unlock_audit(sql)
        await sql(f"DELETE FROM {behind.AUDIT} WHERE seq = 2")
        await behind.insert_audit(sql, forged)

    found = await verify(store)

    assert (found.ok, found.broken_at) == (False, 3)


async def test_verifying_while_others_append_finds_no_fault(
    timed_store: SqlStore, replica: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.audit.BATCH", 3)
    await appended(timed_store, *(f"a{n}" for n in range(10)))

    async def append() -> None:
        for n in range(10):
            await appended(replica, f"b{n}")

    appending = asyncio.create_task(append())
    found = [await verify(timed_store) for _ in range(5)]
    await appending

    assert all(f.ok for f in found)
    assert all(f.entries >= 10 for f in found)


# -- whose work it was, and that it stands --------------------------------------------------------


async def test_an_entry_names_the_trace_of_the_work_at_hand_beside_its_own(
    database_url: str,
) -> None:
    at_hand = ["", "abc", "abc"]
    store = await open_store(
        database_url, moves=MOVES, durable=False, traced=lambda: at_hand.pop(0)
    )
    try:
        for own in ("", "", "inbox/7"):
            async with store.write() as tx:
                await tx.audit.append(replace(an_entry("vote"), trace_id=own))
        async with store.read() as tx:
            found = [entry.trace_id for entry in await tx.audit.entries()]
        assert found == ["", "abc", "inbox/7 abc"]
        assert (await verify(store)).ok, "the hash covers it"
    finally:
        await store.close()


async def test_each_entry_is_one_line_of_the_log_once_it_stands(
    store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="store.audit")
    with suppress(RuntimeError):
        async with store.write() as tx:
            await tx.audit.append(an_entry("never"))
            raise RuntimeError("rolled back")
    assert caplog.records == []

    first, second = await appended(store, "first", "second")

    told = [record.__dict__ for record in caplog.records]
    assert [record["message"] for record in told] == ["recorded", "recorded"]
    for entry, line in zip((first, second), told, strict=True):
        assert (line["seq"], line["action"], line["resource"]) == (
            entry.seq,
            entry.action,
            entry.resource,
        )
        assert (line["status"], line["user"]) == (entry.status, entry.user_id)
        assert not {"what", "details"} & set(line)
