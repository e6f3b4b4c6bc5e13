"""What workers ask for again and again reads what waits, not all that ever was.

SQLite's planner is asked: it chooses indexes by their form, PostgreSQL's by the size of tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bot.domain.approval import MOVES
from bot.ports.store import Transaction
from store.records import InboxKind, OutboxKind, State
from store.session import SqlStore, open_store
from tests.builders import PROD
from tests.contract.store.things import a_card

MINUTE = timedelta(minutes=1)
ONE_ROW = {"SCAN CONSTANT ROW", "SCAN pause"}
ALL_WAIT = {"SCAN arrival"}  # what is filed is gone from it; a look ends with the first few
CARD = a_card("card-1", coalesce_key="card/1")
Poll = Callable[[Transaction], Awaitable[object]]
POLLS: dict[str, Poll] = {
    "deliveries to be filed": lambda tx: tx.arrivals.waiting(),
    "firings whose status changed": lambda tx: tx.alerts.changed(),
    "firings that no case has": lambda tx: tx.alerts.unassigned([PROD]),
    "rows that a newer one replaces": lambda tx: tx.outbox.put(
        a_card("card-1", coalesce_key="card/1")
    ),
    "rollbacks that are watched": lambda tx: tx.rollbacks.watched(),
    "clicks and commands": lambda tx: tx.inbox.claim("w1", lease=MINUTE),
    "clicks alone": lambda tx: tx.inbox.claim("w1", lease=MINUTE, kinds=[InboxKind.CLICK]),
    "what is to be told": lambda tx: tx.outbox.claim("w1", lease=MINUTE),
    "anchors alone": lambda tx: tx.outbox.claim("w1", lease=MINUTE, kinds=[OutboxKind.ANCHOR]),
    "cases that are due": lambda tx: tx.cases.due([PROD]),
    "rollbacks to execute": lambda tx: tx.rollbacks.in_states([State.APPROVED, State.EXECUTING]),
    "groups cut short": lambda tx: tx.truncated.claim(lease=MINUTE),
    "people to write to": lambda tx: tx.direct.claim("w1", lease=MINUTE),
    "App Homes": lambda tx: tx.homes.claim("w1", lease=MINUTE, seen_within=MINUTE),
}


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[SqlStore]:
    opened = await open_store(sqlite_url, moves=MOVES, durable=False)
    yield opened
    await opened.close()


@pytest.mark.parametrize("poll", POLLS.values(), ids=POLLS.keys())
async def test_a_poll_reads_no_table_from_end_to_end(
    store: SqlStore, sqlite_url: str, poll: Poll
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    async with store.write() as tx:
        await poll(tx)
    event.remove(Engine, "before_cursor_execute", note)

    looks = [(sql, given) for sql, given in asked if "FROM" in sql or sql.startswith("UPDATE")]
    assert looks
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as beside:
        for sql, given in looks:
            plan = beside.execute(f"EXPLAIN QUERY PLAN {sql}", given).fetchall()
            steps = [str(row[3]) for row in plan]
            scans = [s for s in steps if s.startswith("SCAN") and s not in ONE_ROW | ALL_WAIT]
            assert all("USING" in scan for scan in scans), sql
            walks = [s for s in steps if "PRIMARY KEY (rowid>" in s]
            assert not walks, f"past all that was ever done: {sql}"
