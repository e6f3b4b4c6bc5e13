"""Open the store, migrate it, and hold transactions: all of what is inside, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import event, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from store import arrivals
from store.address import translate_url
from store.alerts import Alerts
from store.announcements import Announcements
from store.audit import Anchored, Audit, nobody_asks
from store.cases import Cases
from store.clock import DatabaseClock
from store.direct import Direct
from store.engine import LOCK_TIMEOUT_S, POSTGRES_LIMITS, open_engines, settled
from store.events import Events
from store.faults import named_faults
from store.figures import Figures
from store.homes import Homes
from store.inbox import Inbox
from store.included import Included
from store.lanes import Lane, PostgresLane, SqliteLane
from store.outbox import Outbox, anchor_row
from store.pause import Pause
from store.records import Corrupt, Delivery, NotMigrated, State, Unavailable
from store.remembered import Remembered
from store.retention import Retention
from store.rollbacks import Rollbacks
from store.schedule import Schedule
from store.schema import HEAD, newer
from store.seals import Seals
from store.settling import Settling
from store.silences import Silences
from store.sinks import Sinks
from store.slots import Slots
from store.suggestions import Suggestions
from store.tags import Tags
from store.taking import Taking
from store.truncated import TruncatedGroups
from store.versions import Versions

MIGRATIONS = Path(__file__).with_name("migrations")
Moves = Mapping[State, frozenset[State]]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Transaction:
    """One database transaction with its repositories."""

    versions: Versions
    tags: Tags
    arrivals: arrivals.Arrivals
    alerts: Alerts
    truncated: TruncatedGroups
    cases: Cases
    rollbacks: Rollbacks
    seals: Seals
    audit: Audit
    inbox: Inbox
    outbox: Outbox
    events: Events
    announcements: Announcements
    sinks: Sinks
    slots: Slots
    schedule: Schedule
    homes: Homes
    direct: Direct
    included: Included
    pause: Pause
    suggestions: Suggestions
    silences: Silences
    retention: Retention
    figures: Figures
    now: DatabaseClock


class SqlStore:
    """The store on SQLite or PostgreSQL; one per process, closed at its end."""

    def __init__(
        self,
        writing: AsyncEngine,
        reading: AsyncEngine,
        moves: Moves,
        clock: Clock | None,
        lock_timeout_s: float,
        traced: Callable[[], str],
        anchored: Anchored,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._moves = moves
        self._clock = clock
        self._traced = traced
        self._anchored = anchored
        self._forget()
        event.listen(writing.sync_engine, "connect", self._forget)
        lock_timeout = f"{round(lock_timeout_s * 1000)}ms"
        self._lock_timeout = {"lock_timeout": lock_timeout}
        self._taking = Taking(writing.dialect.name)
        self._settling = Settling(at_once=writing.dialect.name == "sqlite")
        self._lane: Lane = (
            SqliteLane(writing, clock)
            if writing.dialect.name == "sqlite"
            else PostgresLane(writing, clock, lock_timeout)
        )

    def _forget(self, *_: object) -> None:
        self._remembered = Remembered()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that locks before it reads; commits at the end, rolls back on error.

        Raises:
            Unavailable: The database is lost, locked or full. Nothing was written, or, when
                it was lost while committing, all of it: do the same again.
        """
        with named_faults():
            async with (
                self._lane.turn(),
                AsyncSession(self._writing, expire_on_commit=False) as session,
                session.begin(),
            ):
                await self._lock(session)
                transaction = self._transaction(session)
                yield transaction
                await transaction.announcements.write()
                # last: the head of the chain is locked shortly
                anchor = await transaction.audit.write()
                if anchor is not None:
                    await transaction.outbox.put(anchor_row(anchor))
            transaction.versions.committed()
            transaction.audit.committed()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """One moment to read from; nothing can be written or locked in it (`StoreError`)."""
        with named_faults():
            async with AsyncSession(self._reading, expire_on_commit=False) as session:
                await session.connection()  # a new one may be of another database: see `_forget`
                yield self._transaction(session)

    async def keep(self, deliveries: Collection[Delivery]) -> None:
        """Write *deliveries* down to be filed, all of them or none; durable when it returns.

        Raises:
            Unavailable: As `write` does.
            Unstorable, NaiveTime: One of them holds what no database can keep.
        """
        with named_faults():
            await self._lane.append(await arrivals.entries(deliveries))

    async def file(self, ids: Sequence[int]) -> bool:
        """File the arrivals *ids*: their alerts can be seen from then on.

        False when somebody else filed one of them; nothing is done then.

        Raises:
            Unavailable: As `write` does.
            StoreError: One of them cannot be filed; none is.
        """
        with named_faults():
            async with self.read() as tx:
                found = await tx.arrivals.of(ids)
            if len(found) != len(ids):
                return False
            return await self._lane.file(ids, await self._taking.statements(found))

    async def check(self) -> None:
        """Return if the database answers and has this program's schema.

        Raises:
            Unavailable: It does not answer.
            NotMigrated: Its schema is another one.
        """
        with named_faults():
            async with self._reading.connect() as connection:
                found = await _revision(connection)
        if found != HEAD and not newer(found):
            raise NotMigrated(f"the schema is {found or 'not there'}, wanted {HEAD}")

    async def close(self) -> None:
        """Close every connection."""
        try:
            await self._lane.close()
        finally:
            await self._writing.dispose()
            await self._reading.dispose()
            await settled()

    async def _lock(self, session: AsyncSession) -> None:
        """Take SQLite's lock now, not at the first statement; let PostgreSQL not wait for ever."""
        connection = await session.connection()
        if connection.dialect.name == "postgresql":
            await connection.execute(POSTGRES_LIMITS, self._lock_timeout)

    def _transaction(self, session: AsyncSession) -> Transaction:
        now = DatabaseClock(session, self._clock)
        events = Events(session)
        audit = Audit(session, now, self._traced, self._anchored)
        seals = Seals(session, now)
        announcements = Announcements(session, now)
        return Transaction(
            versions=Versions(session, now, audit, announcements, self._remembered),
            retention=Retention(session, now),
            figures=Figures(session, now),
            tags=Tags(session, now, audit),
            arrivals=arrivals.Arrivals(session),
            alerts=Alerts(session, now, self._settling),
            truncated=TruncatedGroups(session, now),
            cases=Cases(session, now, audit),
            rollbacks=Rollbacks(session, now, audit, events, announcements, seals, self._moves),
            seals=seals,
            audit=audit,
            inbox=Inbox(session, now),
            outbox=Outbox(session, now),
            events=events,
            announcements=announcements,
            sinks=Sinks(session, now, audit),
            slots=Slots(session, now),
            schedule=Schedule(session, now, audit),
            homes=Homes(session, now, audit),
            direct=Direct(session, now, audit),
            included=Included(session, now, audit),
            pause=Pause(session, now, audit),
            suggestions=Suggestions(session, now, audit),
            silences=Silences(session, now, audit),
            now=now,
        )


async def open_store(
    url: str,
    *,
    moves: Moves,
    clock: Clock | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    durable: bool = True,
    traced: Callable[[], str] = str,
    anchored: Anchored = nobody_asks,
) -> SqlStore:
    """Open the store at *url*; the schema is not looked at (see `check`).

    Args:
        url: As `address.translate_url` takes it.
        moves: The legal moves of a rollback; the store refuses the rest.
        clock: In place of the database's clock, for tests.
        lock_timeout_s: How long a writer waits for the locks of others.
        durable: False lets SQLite commit before the disk has it, for tests.
        traced: The trace of the work at hand, which audit entries name; "" for none.
        anchored: Because of which entries the audit chain's head is queued to be published
            outside of the database, in their transaction.

    Raises:
        Unavailable: The database does not answer.
        Corrupt: An SQLite file is damaged; restore it from a backup.
    """
    address = translate_url(url)
    on_sqlite = address.get_backend_name() == "sqlite"
    if on_sqlite and address.database and not Path(address.database).parent.is_dir():
        # aiosqlite would leave a thread behind that tells a loop of this when it may be closed
        raise Unavailable("the folder of the database file is not there")
    with named_faults():
        writing, reading = open_engines(address, lock_timeout_s=lock_timeout_s, durable=durable)
    store = SqlStore(writing, reading, moves, clock, lock_timeout_s, traced, anchored)
    try:
        with named_faults():
            async with reading.connect() as connection:
                if on_sqlite:
                    await _quick_check(connection)
            if on_sqlite:
                await _open_the_writer(writing)
    except BaseException:
        await store.close()
        raise
    return store


def migrate(url: str) -> None:
    """Bring the database at *url* to the newest schema; safe when several do so at once.

    One that a later release has brought further stays as it is. Blocks; call it outside the event
    loop or in a thread.

    Raises:
        Unavailable: The database does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = translate_url(url)
    with named_faults():
        command.upgrade(config, "head")


async def _revision(connection: AsyncConnection) -> str:
    there = await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version"))
    if not there:
        return ""
    found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return str(found or "")


async def _open_the_writer(writing: AsyncEngine) -> None:
    """Let the one connection for writing stand before anybody waits for it.

    The pool wakes nobody when a connection is not made after all, as when its maker is cancelled:
    those who wait for it would do so for the whole of their time.
    """
    async with writing.connect():
        pass


async def _quick_check(connection: AsyncConnection) -> None:
    """See https://www.sqlite.org/pragma.html#pragma_quick_check."""
    said = await connection.scalar(text("PRAGMA quick_check(1)"))
    if said != "ok":
        raise Corrupt(f"the database file is damaged ({str(said)[:120]}): restore a backup")
