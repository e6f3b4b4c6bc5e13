"""The whole of one database into another, empty one: everything in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Table, delete, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import SQLModel, col

from store.address import translate_url
from store.audit import Audit, verify
from store.clock import DatabaseClock
from store.engine import open_engines
from store.faults import named_faults
from store.pause import Pause
from store.records import Corrupt, NotEmpty, PauseOrigin, State, StillUsed
from store.tables import (
    AuditHeadRow,
    CursorRow,
    InboxRow,
    OutboxRow,
    PauseRow,
    RollbackRow,
    SlotRow,
)

BATCH = 500
_THEIRS = frozenset({"alembic_version", "sqlite_sequence"})
_GOING = (State.EXECUTING, State.VERIFYING)
Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class Transferred:
    """What was copied: rows by table, and where the audit chain ends."""

    rows: dict[str, int]
    entries: int
    head: str


async def check_empty(url: str) -> None:
    """Return if there is nothing at *url*, or only the empty tables of ours.

    Raises:
        NotEmpty: It holds tables of somebody else's, or rows.
        Unavailable: It does not answer.
    """
    ours = {table.name: table for table in SQLModel.metadata.sorted_tables}
    async with _connected(url, writing=False) as connection:
        there = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
        if strangers := sorted(there - set(ours) - _THEIRS):
            raise NotEmpty(f"it has tables that are not Keyturn's: {', '.join(strangers[:5])}")
        for name in sorted(there & set(ours)):
            if await _count(connection, ours[name], beyond_new=True):
                raise NotEmpty(f"its table {name} has rows")


async def check_unused(url: str) -> None:
    """Return if nobody seems to work with the database at *url*.

    Raises:
        StillUsed: A rollback is being executed, or a service holds something.
        Unavailable: It does not answer.
    """
    async with _connected(url, writing=False) as connection:
        session = AsyncSession(bind=connection)
        going = await session.scalar(
            select(col(RollbackRow.id)).where(col(RollbackRow.state).in_(_GOING)).limit(1)
        )
        if going is not None:
            raise StillUsed(
                f"rollback {going} is being executed; let a service bring it to its end"
            )
        now = await DatabaseClock(session, None)()
        held = [
            await session.scalar(
                select(func.max(table.lease_until)).where(
                    col(table.done_at).is_(None), col(table.lease_until) > now
                )
            )
            for table in (InboxRow, OutboxRow)
        ]
        held.append(
            await session.scalar(
                select(func.max(SlotRow.lease_until)).where(
                    col(SlotRow.finished_at).is_(None), col(SlotRow.lease_until) > now
                )
            )
        )
        held.append(
            await session.scalar(
                select(func.max(CursorRow.lease_until)).where(col(CursorRow.lease_until) > now)
            )
        )
        leases = [until for until in held if until is not None]
        if leases:
            raise StillUsed(
                f"a service is working with it, or was killed: stop it; what it holds "
                f"is free after {max(leases):%H:%M:%S} UTC"
            )


async def transfer(source: str, target: str, *, advance: Advance) -> Transferred:
    """Copy every row at *source*, as it is at one moment, to the empty tables at *target*.

    Both have this program's schema. Ids stay; the copy is paused. It is compared before it is
    committed: the rows of each table, and every link of the audit chain. Calls *advance* with
    (rows done, table) on the way.

    Raises:
        Corrupt: What came over is not what was there; nothing is kept.
        NotEmpty: The target has rows.
        Unavailable: Either does not answer.
    """
    async with (
        _connected(source, writing=False) as reading,
        _connected(target, writing=True) as writing,
    ):
        return await _transfer(reading, AsyncSession(bind=writing), writing, advance)


async def rows_in(url: str) -> int:
    """How many rows there are at *url*, in all tables."""
    async with _connected(url, writing=False) as connection:
        tables = SQLModel.metadata.sorted_tables
        return sum([await _count(connection, table) for table in tables])


async def _transfer(
    reading: AsyncConnection, session: AsyncSession, writing: AsyncConnection, advance: Advance
) -> Transferred:
    tables = [t for t in SQLModel.metadata.sorted_tables if t.name != PauseRow.__tablename__]
    for table in tables:
        if await _count(writing, table, beyond_new=True):
            raise NotEmpty(f"its table {table.name} has rows")
    await writing.execute(delete(AuditHeadRow))  # that of an empty chain
    done, rows = 0, {}
    for table in tables:
        rows[table.name] = 0
        async for batch in _batches(reading, table):
            await writing.execute(table.insert(), batch)
            rows[table.name] += len(batch)
            done += len(batch)
            advance(done, table.name)
        if rows[table.name] != await _count(writing, table):
            raise Corrupt(f"not every row of {table.name} came over")
    if writing.dialect.name == "postgresql":
        await _set_sequences(writing, tables)
    audit = Audit(session, DatabaseClock(session, None))
    found = await verify(_Inside(audit))
    if not found.ok:
        raise Corrupt(f"the audit chain is broken at {found.broken_at}: {found.why}")
    pause = Pause(session, DatabaseClock(session, None), audit)
    await pause.mark(PauseOrigin.COPY, "copied from another database", entry=None)
    return Transferred(rows, found.entries, found.head)


async def _batches(
    connection: AsyncConnection, table: Table
) -> AsyncIterator[list[dict[str, object]]]:
    query = select(table).order_by(*table.primary_key.columns)
    result = await connection.stream(query, execution_options={"yield_per": BATCH})
    async for some in result.mappings().partitions(BATCH):
        yield [dict(row) for row in some]


async def _count(connection: AsyncConnection, table: Table, *, beyond_new: bool = False) -> int:
    """How many rows *table* has; *beyond_new* counts none that migrating makes."""
    query = select(func.count()).select_from(table)
    if beyond_new and table.name == AuditHeadRow.__tablename__:
        query = query.where(table.c.seq > 0)
    return int(await connection.scalar(query) or 0)


async def _set_sequences(connection: AsyncConnection, tables: list[Table]) -> None:
    """Let new rows begin after the copied ones: ids that are given move no sequence."""
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        newest = await connection.scalar(select(func.max(column)))
        if newest is not None:
            await connection.execute(select(func.setval(sequence, newest)))


@dataclass(frozen=True)
class _Inside:
    """A transaction that is not committed yet, to be read as if it were a store."""

    audit: Audit

    @asynccontextmanager
    async def read(self) -> AsyncIterator[_Inside]:
        yield self


@asynccontextmanager
async def _connected(url: str, *, writing: bool) -> AsyncIterator[AsyncConnection]:
    """One connection in one transaction, which is committed if it is for *writing*."""
    with named_faults():
        engines = open_engines(translate_url(url))
        engine = engines[0] if writing else engines[1]
        try:
            async with engine.connect() as connection, connection.begin():
                yield connection
        finally:
            for opened in engines:
                await opened.dispose()
