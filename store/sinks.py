"""Where events are sent, and how far each sink has come with each app: one worker at a time.

A sink has a cursor for each app@env. Whoever moves it holds its lease, so an app's events leave in
their order whichever process sends them; a cursor that waits holds up no other one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.announcements import announcement
from store.audit import Audit
from store.clock import DatabaseClock
from store.records import (
    AppEnv,
    AuditDraft,
    Consignment,
    PauseOrigin,
    SinkState,
    Stale,
)
from store.tables import AnnouncementRow, CursorRow, PauseRow, SinkRow, StreamRow
from store.types import UtcDateTime
from store.upsert import insert

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_AWAY = timedelta(hours=2)  # without a sign of any process: nobody tried a sink meanwhile
_WELL: Mapping[str, Any] = {"attempts": 0, "failing_since": None}
_TRIES = 3  # each lost one means that another worker took a cursor


class Sinks:
    """Names are those of the configuration; a sink that it names no more keeps its cursors."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def follow(self, sinks: Mapping[str, bool]) -> None:
        """Know *sinks*; one that is new begins now, or with what is kept where its value is True.

        What is told of an app for the first time afterwards, it gets from the first event on. Of a
        sink that no process has named for long it does not count that it failed before.
        """
        now = await self._now()
        for name, from_start in sorted(sinks.items()):
            adding = insert(self._session, SinkRow).values(_sink(name, now))
            new = await self._session.execute(
                adding.on_conflict_do_nothing().returning(col(SinkRow.name))
            )
            if new.first() is not None:
                await self._begin(name, 0 if from_start else None)
            else:
                await self._forgive(name, unless_after=now - _AWAY)
                await self._change(name, seen_at=now)

    async def waits(self, names: Collection[str]) -> bool:
        """Whether something is to be sent to one of *names* that nobody holds."""
        return await self._next(names) is not None

    async def claim(
        self, names: Collection[str], owner: str, *, lease: timedelta, limit: int
    ) -> Consignment | None:
        """The next *limit* events of the app that has waited longest, for one of *names*."""
        for _ in range(_TRIES):
            found = await self._next(names)
            if found is None:
                return None
            held = await self._hold(*found, owner, lease)
            if held is not None:
                return await self._consignment(*found, held, limit)
        return None

    async def delivered(
        self,
        consigned: Consignment,
        *,
        owner: str,
        through: int,
        sent: int,
        keep: timedelta | None = None,
    ) -> None:
        """Move the cursor to *through*, after *sent* were taken; *keep* extends the lease.

        Raises:
            Stale: Another worker goes on with them.
        """
        until = await self._now() + keep if keep is not None else None
        moved = {"sequence": through, "last_error": "", **_WELL}
        await self._settle(consigned, owner, lease_until=until, **moved)
        if sent:
            count = col(SinkRow.sent) + sent
            await self._change(consigned.sink, sent=count, failures=0, last_error="")

    async def down(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink takes nothing now: all of it rests for *delay*. Raises `Stale`."""
        now = await self._now()
        await self._settle(consigned, owner, **_failing(now, error))
        await self._change(
            consigned.sink,
            failures=col(SinkRow.failures) + 1,
            failed=col(SinkRow.failed) + 1,
            not_before=now + delay,
            last_error=error[:500],
        )

    async def refused(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink did not take this event: its app waits for *delay*, no other. Raises `Stale`."""
        now = await self._now()
        await self._settle(consigned, owner, not_before=now + delay, **_failing(now, error))
        failed = col(SinkRow.failed) + 1
        await self._change(consigned.sink, failed=failed, last_error=error[:500])

    async def give_up(
        self, consigned: Consignment, *, owner: str, through: int, count: int, entry: AuditDraft
    ) -> None:
        """Leave *count* events up to *through* out that were not taken, with *entry*.

        *owner* holds the rest still, and settles it in this transaction. The sink counts as failing
        as before: it has taken nothing.

        Raises:
            Stale: Another worker goes on with them.
        """
        await self._settle(consigned, owner, lease_until=await self._now(), sequence=through)
        await self._change(consigned.sink, given_up=col(SinkRow.given_up) + count)
        await self._audit.append(entry)

    async def rewind(
        self, name: str, where: AppEnv, sequence: int, *, entry: AuditDraft
    ) -> int | None:
        """Let the sink get what follows *sequence* of *where* again; return where it stood.

        None when nothing is known of it. Where it stood before *sequence* nothing is moved: what
        it has not got would be left out. Whoever sends at this moment is `Stale` afterwards.
        """
        mine = (col(CursorRow.sink) == name, *_of(CursorRow, where))
        stood = await self._session.scalar(
            select(col(CursorRow.sequence)).where(*mine).with_for_update()
        )
        if stood is not None and sequence <= stood:
            back = {"sequence": sequence, "owner": "", "lease_until": None, **_WELL}
            await self._session.execute(update(CursorRow).where(*mine).values(**back))
            await self._audit.append(entry)
        return stood

    async def states(self, *, seen_within: timedelta) -> list[SinkState]:
        """How each sink stands that a process has named lately, by name."""
        seen = col(SinkRow.seen_at) > await self._now() - seen_within
        rows = await self._session.scalars(select(SinkRow).where(seen).order_by(col(SinkRow.name)))
        return [await self._state(row) for row in rows]

    # -- how ------------------------------------------------------------------------------------

    async def _begin(self, name: str, at: int | None) -> None:
        """Make the cursors of a new sink, at where each app stands or else at *at*."""
        now = await self._now()
        streams = await self._session.scalars(select(StreamRow))
        cursors = [
            _cursor(name, AppEnv(row.app, row.env), row.sequence if at is None else at, now)
            for row in streams
        ]
        if cursors:
            adding = insert(self._session, CursorRow).values(cursors)
            await self._session.execute(adding.on_conflict_do_nothing())

    async def _forgive(self, name: str, *, unless_after: datetime) -> None:
        """Forget since when a sink fails that nobody has tried since *unless_after*."""
        away = select(literal(1)).where(
            col(SinkRow.name) == name, col(SinkRow.seen_at) < unless_after
        )
        await self._session.execute(
            update(CursorRow)
            .where(col(CursorRow.sink) == name, away.exists())
            .values(failing_since=None)
        )

    async def _next(self, names: Collection[str]) -> tuple[str, AppEnv] | None:
        """Which sink gets what of which app next; nothing in a copy until it is resumed."""
        now = await self._now()
        copied = select(literal(1)).where(col(PauseRow.origin) != PauseOrigin.PERSON).exists()
        query = (
            select(col(SinkRow.name), col(StreamRow.app), col(StreamRow.env))
            .join(StreamRow, literal(True))
            .outerjoin(CursorRow, _meets() & (col(CursorRow.sink) == col(SinkRow.name)))
            .where(
                col(SinkRow.name).in_(list(names)),
                col(SinkRow.not_before) <= now,
                ~copied,
                col(StreamRow.sequence) > func.coalesce(col(CursorRow.sequence), 0),
                or_(col(CursorRow.sink).is_(None), _free(now)),
            )
            .order_by(col(CursorRow.turn_at).asc().nulls_first(), col(SinkRow.name))
            .limit(1)
        )
        row = (await self._session.execute(query)).first()
        return (row[0], AppEnv(row[1], row[2])) if row is not None else None

    async def _hold(self, sink: str, where: AppEnv, owner: str, lease: timedelta) -> _Held | None:
        """How the cursor stands when *owner* has it now, else None."""
        now = await self._now()
        adding = insert(self._session, CursorRow).values(_cursor(sink, where, 0, _LONG_AGO))
        await self._session.execute(adding.on_conflict_do_nothing())
        mine = (col(CursorRow.sink) == sink, *_of(CursorRow, where))
        taken = {"owner": owner, "lease_until": now + lease, "turn_at": now}
        held = await self._session.execute(
            update(CursorRow)
            .where(*mine, _free(now))
            .values(**taken)
            .returning(
                col(CursorRow.sequence), col(CursorRow.attempts), col(CursorRow.failing_since)
            )
        )
        row = held.first()
        return _Held(*row) if row is not None else None

    async def _consignment(self, sink: str, where: AppEnv, held: _Held, limit: int) -> Consignment:
        """What follows up to the head: that is read first, since what comes later was not seen."""
        head = await self._head(where)
        number = col(AnnouncementRow.sequence)
        rows = await self._session.scalars(
            select(AnnouncementRow)
            .where(*_of(AnnouncementRow, where), number > held.sequence, number <= head)
            .order_by(number)
            .limit(limit)
        )
        found = tuple(announcement(row) for row in rows)
        through = found[-1].sequence if found else head
        known = select(col(SinkRow.failures)).where(col(SinkRow.name) == sink)
        failures = await self._session.scalar(known) or 0
        return Consignment(sink, where, found, through, held.attempts, failures, held.failing_since)

    async def _head(self, where: AppEnv) -> int:
        head = select(col(StreamRow.sequence)).where(*_of(StreamRow, where))
        return await self._session.scalar(head) or 0

    async def _settle(self, consigned: Consignment, owner: str, **values: Any) -> None:
        held = (
            col(CursorRow.sink) == consigned.sink,
            *_of(CursorRow, consigned.where),
            col(CursorRow.owner) == owner,
        )
        kept = values.get("lease_until")
        freed = {} if kept is not None else {"owner": "", "lease_until": None}
        changed = await self._session.execute(
            update(CursorRow)
            .where(*held)
            .values({**values, **freed})
            .returning(col(CursorRow.sink))
        )
        if changed.first() is None:
            raise Stale(f"{consigned.where} for sink {consigned.sink} is not held by {owner}")

    async def _change(self, sink: str, **values: Any) -> None:
        await self._session.execute(
            update(SinkRow).where(col(SinkRow.name) == sink).values(**values)
        )

    async def _state(self, row: SinkRow) -> SinkState:
        lag = col(StreamRow.sequence) - func.coalesce(col(CursorRow.sequence), 0)
        behind = _meets() & (col(CursorRow.sink) == row.name)
        waiting = await self._session.scalar(
            select(func.sum(lag)).select_from(StreamRow).outerjoin(CursorRow, behind)
        )
        return SinkState(
            name=row.name,
            sent=row.sent,
            failed=row.failed,
            given_up=row.given_up,
            failures=row.failures,
            last_error=row.last_error,
            waiting=int(waiting or 0),
            oldest=await self._oldest(row.name) if waiting else None,
        )

    async def _oldest(self, sink: str) -> datetime | None:
        """When the first event was written that *sink* has not got."""
        of_sink = and_(
            col(CursorRow.app) == col(AnnouncementRow.app),
            col(CursorRow.env) == col(AnnouncementRow.env),
            col(CursorRow.sink) == sink,
        )
        found: datetime | None = await self._session.scalar(
            select(func.min(AnnouncementRow.at))
            .outerjoin(CursorRow, of_sink)
            .where(col(AnnouncementRow.sequence) > func.coalesce(col(CursorRow.sequence), 0))
        )
        return found


class _Held(NamedTuple):
    """Where a cursor stands, and how often and since when its sink has taken nothing there."""

    sequence: int
    attempts: int
    failing_since: datetime | None


def _failing(now: datetime, error: str) -> dict[str, Any]:
    """The values of a cursor whose sink took nothing *now*, as before or for the first time."""
    return {
        "attempts": col(CursorRow.attempts) + 1,
        "failing_since": func.coalesce(col(CursorRow.failing_since), literal(now, UtcDateTime())),
        "last_error": error[:500],
    }


def _meets() -> Any:
    """True where a cursor is that of the sink and the stream beside it."""
    return and_(col(CursorRow.app) == col(StreamRow.app), col(CursorRow.env) == col(StreamRow.env))


def _free(now: datetime) -> Any:
    return and_(
        col(CursorRow.not_before) <= now,
        or_(col(CursorRow.lease_until).is_(None), col(CursorRow.lease_until) < now),
    )


def _of(table: Any, where: AppEnv) -> Sequence[Any]:
    return (col(table.app) == where.app, col(table.env) == where.env)


def _sink(name: str, now: datetime) -> dict[str, Any]:
    return {
        "name": name,
        "since": now,
        "seen_at": now,
        "not_before": now,
        "failures": 0,
        "last_error": "",
        "sent": 0,
        "failed": 0,
        "given_up": 0,
    }


def _cursor(sink: str, where: AppEnv, sequence: int, now: datetime) -> dict[str, Any]:
    return {
        "sink": sink,
        "app": where.app,
        "env": where.env,
        "sequence": sequence,
        "turn_at": _LONG_AGO,
        "not_before": now,
        "attempts": 0,
        "failing_since": None,
        "last_error": "",
        "owner": "",
        "lease_until": None,
    }
