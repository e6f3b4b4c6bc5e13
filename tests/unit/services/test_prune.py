"""Clearing away: all of it, recorded by number, and nothing while the database is paused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.approval import MOVES
from bot.services import prune as pruning
from bot.services.prune import prune
from store.records import AuditEntry, Keeping, PauseOrigin
from store.session import SqlStore, open_store
from tests.contract.store.raw import Hand
from tests.contract.store.test_retention import do_and_tell
from tests.contract.store.things import an_entry

KEEPING = Keeping()


@pytest.fixture
def hand() -> Hand:
    """The clock of `store`."""
    return Hand()


@pytest.fixture
async def store(sqlite_url: str, hand: Hand) -> AsyncIterator[SqlStore]:
    """A store with five clicks and messages that were done 300 days ago."""
    opened = await open_store(sqlite_url, moves=MOVES, clock=hand, durable=False)
    for number in range(5):
        await do_and_tell(opened, number)
    hand.passes(days=300)
    yield opened
    await opened.close()


async def entries(store: SqlStore) -> list[AuditEntry]:
    async with store.read() as tx:
        return [e for e in await tx.audit.entries() if e.action == "retention.prune"]


async def test_all_that_is_old_goes_in_small_transactions_and_is_recorded_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    seen: list[int] = []

    gone = await prune(store, KEEPING, user_id="operator", done=seen.append)

    assert gone == {"inbox": 4, "outbox": 4}
    assert seen == [4, 8]
    (entry,) = await entries(store)
    assert (entry.user_id, entry.what) == ("operator", {"removed": gone})


async def test_where_nothing_is_old_nothing_is_recorded(store: SqlStore) -> None:
    await prune(store, KEEPING, user_id="keyturn")

    assert await prune(store, KEEPING, user_id="keyturn") == {}
    assert len(await entries(store)) == 1


async def test_a_paused_database_keeps_everything(store: SqlStore) -> None:
    async with store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a drill", entry=an_entry("pause"))

    assert await prune(store, KEEPING, user_id="keyturn") == {}
    async with store.read() as tx:
        assert sum((await tx.retention.over(KEEPING)).values()) == 8
