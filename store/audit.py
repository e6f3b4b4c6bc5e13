"""The audit chain: append-only rows, each holding the hash of the one before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import starmap
from typing import Protocol

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import chain
from store.canonical import no_collection
from store.clock import DatabaseClock
from store.records import AppEnv, AuditAnchor, AuditDraft, AuditEntry, Corrupt, Verification
from store.tables import AuditHeadRow, AuditRow, CaseRow, LegRow
from store.walk import Walk

_log = logging.getLogger(__name__)
BATCH = 2_000
BACK = timedelta(days=1)  # a database's clock may have been set back
_HEAD = 1
_TABLE = AuditRow.metadata.tables[AuditRow.__tablename__]
_COLUMNS = tuple(_TABLE.c[field.name] for field in fields(AuditEntry))
_SEQ = _TABLE.c.seq
Anchored = Callable[[AuditDraft], bool]  # whether the chain is anchored because of an entry


def nobody_asks(_: AuditDraft) -> bool:
    """No entry is a reason to anchor the chain."""
    return False


class Audit:
    """Appends in the caller's transaction: what is not recorded is not done.

    Entries are written when the transaction is about to commit, so that the head of the chain,
    which every appender locks, is held for as short as can be and always as the last lock.
    """

    def __init__(
        self,
        session: AsyncSession,
        now: DatabaseClock,
        traced: Callable[[], str] = str,
        anchored: Anchored = nobody_asks,
    ) -> None:
        self._session = session
        self._now = now
        self._traced = traced
        self._anchored = anchored
        self._waiting: list[AuditDraft] = []
        self._written: list[AuditEntry] = []

    async def append(self, entry: AuditDraft) -> None:
        """Append one entry when this transaction commits."""
        self._waiting.append(entry)

    async def append_many(self, entries: Sequence[AuditDraft]) -> None:
        """Append *entries* in their order when this transaction commits."""
        self._waiting.extend(entries)

    async def write(self) -> AuditAnchor | None:
        """Link what was appended to the chain; whoever else does so waits until the commit.

        Return the new head if it is to be published outside, because of one of the entries.
        """
        if not self._waiting:
            return None
        head = await self._session.get(AuditHeadRow, _HEAD, with_for_update=True)
        if head is None:
            raise Corrupt("the audit chain has lost its head: nothing can be recorded")
        timestamp = chain.timestamp(await self._now())
        traced = self._traced()
        for draft in self._waiting:
            of = " ".join(part for part in (draft.trace_id, traced) if part)
            stamped = replace(draft, trace_id=of)
            entry = chain.link(stamped, seq=head.seq + 1, timestamp=timestamp, prev=head.hash)
            head.seq, head.hash = entry.seq, entry.hash
            self._session.add(_row(entry))
            self._written.append(entry)
        anchored = any(map(self._anchored, self._waiting))
        self._waiting.clear()
        await self._session.flush()
        return AuditAnchor(head.seq, head.hash, timestamp) if anchored else None

    def committed(self) -> None:
        """Say of each entry in the log that it stands, now that it does: one line a decision.

        What people wrote is part of an entry's facts, so those are left out.
        """
        for entry in self._written:
            facts = {"seq": entry.seq, "action": entry.action, "resource": entry.resource}
            who = {"status": entry.status, "user": entry.user_id}
            _log.info("recorded", extra={**facts, **who})
        self._written.clear()

    async def head(self) -> tuple[int, str]:
        """(seq, hash) of the newest entry; (0, genesis hash) while the chain is empty."""
        head = await self._session.get(AuditHeadRow, _HEAD)
        return (head.seq, head.hash) if head is not None else (0, chain.GENESIS)

    async def find(self, beginning: str) -> int | None:
        """The number of the newest entry whose hash begins so; None when there is none."""
        found: int | None = await self._session.scalar(
            select(func.max(AuditRow.seq)).where(
                col(AuditRow.hash).startswith(beginning, autoescape=True)
            )
        )
        return found

    async def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Entries above seq *after*, oldest first; at most *limit*, fewer before one of no sense.

        Raises:
            Corrupt: The very next one cannot be read: whoever may write the database put something
                there that is no JSON.
        """
        while limit:
            try:
                return await self._read(after, limit)
            except ValueError:
                limit //= 2
        raise Corrupt(f"what follows entry {after} was changed: it cannot be read")

    async def about(self, where: AppEnv, *, limit: int, skip: int = 0) -> list[AuditEntry]:
        """Entries about rollbacks and cases of *where*, and about itself, newest first.

        At most *limit*, after the newest *skip*.

        Raises:
            Corrupt: One cannot be read, as in `entries`.
        """
        query = (
            select(AuditRow)
            .where(_is_about(where))
            .order_by(col(AuditRow.seq).desc())
            .limit(limit)
            .offset(skip)
        )
        try:
            return [_entry(row) for row in await self._session.scalars(query)]
        except ValueError as error:
            raise Corrupt(f"an entry about {where} was changed: it cannot be read") from error

    async def count_about(self, where: AppEnv) -> int:
        """How many entries `about` has."""
        query = select(func.count()).select_from(AuditRow).where(_is_about(where))
        return await self._session.scalar(query) or 0

    def flaw(self, entry: AuditEntry) -> str:
        """What is wrong with *entry* by itself, wherever it stands; "" when nothing is."""
        return chain.flaw(entry, seq=entry.seq, prev=entry.prev)

    async def about_any(self, resources: Collection[str], *, since: datetime) -> list[AuditEntry]:
        """The entries about any of *resources*, from about *since* on, oldest first.

        Raises:
            Corrupt: One of them cannot be read.
        """
        first = await self._first_since(since - BACK)
        query = select(AuditRow).where(
            col(AuditRow.seq) >= first, col(AuditRow.resource).in_(list(resources))
        )
        try:
            rows = await self._session.scalars(query.order_by(col(AuditRow.seq)))
            return [_entry(row) for row in rows]
        except ValueError:
            raise Corrupt(f"an entry after {first} was changed: it cannot be read") from None

    async def _first_since(self, at: datetime) -> int:
        """The number of the first entry from *at* on, found by halves: times follow the numbers."""
        low, high = 1, (await self.head())[0] + 1
        wanted = chain.timestamp(at)
        while low < high:
            middle = (low + high) // 2
            said: str | None = await self._session.scalar(
                select(col(AuditRow.timestamp)).where(col(AuditRow.seq) == middle)
            )
            if said is not None and said >= wanted:
                high = middle
            else:
                low = middle + 1
        return low

    async def flaw_in(self, entries: Sequence[AuditEntry]) -> str:
        """What is wrong with *entries* or where they stand in the chain; "" when nothing is.

        Each is held against its own hash and against the entry before it; that all between the
        first entry and the head is whole, `verify` alone says.
        """
        newest, head = await self.head()
        before = {seq - 1 for seq in (entry.seq for entry in entries)}
        found = await self._session.execute(
            select(col(AuditRow.seq), col(AuditRow.hash)).where(
                col(AuditRow.seq).in_({*before, newest})
            )
        )
        hashes = {0: chain.GENESIS}
        hashes.update((seq, said) for seq, said in found.all())
        for entry in entries:
            why = chain.flaw(entry, seq=entry.seq, prev=hashes.get(entry.seq - 1, ""))
            if why or (why := _beyond(entry, newest)):
                return why
        if hashes.get(newest) != head:
            return f"the chain does not end at its recorded head {newest} ({head[:12]})"
        return ""

    async def _read(self, after: int, limit: int) -> list[AuditEntry]:
        connection = await self._session.connection()  # a chain is long, and has no use for a class
        query = select(*_COLUMNS).where(after < _SEQ).order_by(_SEQ).limit(limit)
        rows = await connection.execute(query)
        with no_collection():
            return list(starmap(AuditEntry, rows.all()))


def _is_about(where: AppEnv) -> ColumnElement[bool]:
    """Whether an entry's resource is a rollback or a case of *where*, or that app@env itself."""
    rollbacks = select("rollback/" + cast(col(LegRow.rollback_id), String)).where(
        col(LegRow.app) == where.app, col(LegRow.env) == where.env
    )
    cases = select("case/" + cast(col(CaseRow.id), String)).where(
        col(CaseRow.app) == where.app, col(CaseRow.env) == where.env
    )
    resource = col(AuditRow.resource)
    return or_(resource.in_(rollbacks), resource.in_(cases), resource == f"app/{where}")


class _Transaction(Protocol):
    @property
    def audit(self) -> Audit: ...


class _Readable(Protocol):
    def read(self) -> AbstractAsyncContextManager[_Transaction]: ...


async def verify(store: _Readable, anchors: Iterable[AuditAnchor] = ()) -> Verification:
    """Check every link of the chain and that it ends at the recorded head.

    An administrator of the database can rewrite the whole chain with its head: only *anchors*,
    heads that were published elsewhere, find that, up to the last of them.
    """
    async with store.read() as tx:  # one moment, so that nothing seems to be beyond the head
        walk = Walk(anchors, head=await tx.audit.head())
        try:
            while batch := await tx.audit.entries(after=walk.at, limit=BATCH):
                with no_collection():
                    whole = all(map(walk.take, batch))
                if not whole:
                    break
        except Corrupt as damage:
            return walk.broken(str(damage))
    return walk.end()


def _beyond(entry: AuditEntry, seq: int) -> str:
    return f"entry {entry.seq} is beyond the recorded head {seq}" if entry.seq > seq else ""


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        seq=entry.seq,
        timestamp=entry.timestamp,
        user_id=entry.user_id,
        action=entry.action,
        resource=entry.resource,
        status=entry.status,
        ip_addr=entry.ip_addr,
        ip_note=entry.ip_note,
        what=dict(entry.what),
        trace_id=entry.trace_id,
        prev=entry.prev,
        hash=entry.hash,
    )


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        timestamp=row.timestamp,
        user_id=row.user_id,
        action=row.action,
        resource=row.resource,
        status=row.status,
        ip_addr=row.ip_addr,
        ip_note=row.ip_note,
        what=row.what,
        trace_id=row.trace_id,
        prev=row.prev,
        hash=row.hash,
    )
