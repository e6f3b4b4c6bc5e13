"""What PostgreSQL notes of each row that is written, by its own clock, and what must be true of it.

Nothing of ours has a part in it: a trigger writes down the row and `clock_timestamp()`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

TABLES = ("rollback", "vote", "audit", "inbox", "outbox", "slot")
A_TRANSACTION = timedelta(seconds=5)  # from its look at the time to its row; far below the skew
_FINE = timedelta(milliseconds=50)  # two clocks run apart a little
_SET_UP = (
    "CREATE TABLE noted (id bigserial PRIMARY KEY, at timestamptz NOT NULL, "
    "written text NOT NULL, anew boolean NOT NULL, content jsonb NOT NULL)",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO noted (at, written, anew, content) "
    "VALUES (clock_timestamp(), TG_TABLE_NAME, TG_OP = 'INSERT', to_jsonb(NEW)); "
    "RETURN NULL; END $$",
    *(
        f"CREATE TRIGGER note AFTER INSERT OR UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION note()"
        for table in TABLES
    ),
)


@dataclass(frozen=True)
class Note:
    """One row as it was written into *table* at *at*; *anew*: it was not there before."""

    id: int
    at: datetime
    table: str
    anew: bool
    row: Mapping[str, Any]

    def time(self, column: str) -> datetime | None:
        """The time that the row has in *column*."""
        said = self.row[column]
        return None if said is None else datetime.fromisoformat(said)


async def begin(engine: AsyncEngine) -> None:
    """Let the database at *engine* take notes from now on."""
    async with engine.begin() as connection:
        for statement in _SET_UP:
            await connection.execute(text(statement))


async def notes(engine: AsyncEngine, *, after: int) -> list[Note]:
    """What was noted after the note *after*, in order.

    The votes of a rollback are written again with each of its states: those are not anew.
    """
    query = text("SELECT id, at, written, anew, content FROM noted WHERE id > :after ORDER BY id")
    async with engine.connect() as connection:
        found = [Note(*row) for row in await connection.execute(query, {"after": after})]
    votes: set[str] = set()
    return [replace(note, anew=False) if _again(note, votes) else note for note in found]


def _again(note: Note, votes: set[str]) -> bool:
    """Whether it is a vote that is among *votes*; it is afterwards."""
    if note.table != "vote":
        return False
    vote = f"{note.row['rollback_id']} {note.row['slack_id']} {note.row['at']}"
    known = vote in votes
    votes.add(vote)
    return known


async def newest(engine: AsyncEngine) -> int:
    """The newest note; 0 when there is none."""
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT coalesce(max(id), 0) FROM noted"))
        return int(found.scalar_one())


async def now(engine: AsyncEngine) -> datetime:
    """The database's time."""
    async with engine.connect() as connection:
        said: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return said


# -- what must be true ----------------------------------------------------------------------------


def wrong_times(seen: Iterable[Note]) -> list[str]:
    """The times that were stored as now and are not the database's."""
    return [
        f"{note.table}.{column} was stored as {stored} at {note.at}"
        for note in seen
        if note.anew
        for column in _NOW.get(note.table, ())
        if (stored := note.time(column)) is not None
        and not note.at - A_TRANSACTION <= stored <= note.at + _FINE
    ]


_NOW = {  # the columns that hold the time at which a row was made
    "rollback": ("opened_at",),
    "vote": ("at",),
    "audit": ("timestamp",),
    "inbox": ("received_at",),
    "outbox": ("created_at",),
}


def wrong_expiries(seen: Iterable[Note], *, late: timedelta) -> list[str]:
    """Rollbacks that expired early, more than *late* afterwards, or voted on or begun too late."""
    ends = {note.row["id"]: note.time("expires_at") for note in seen if note.table == "rollback"}
    return [
        f"rollback {rollback_id}: {what} at {note.at}, and it was open until {ends[rollback_id]}"
        for note, rollback_id, what in _moves(seen)
        if not _in_time(what, note.at, ends[rollback_id], late)
    ]


def _moves(seen: Iterable[Note]) -> Iterator[tuple[Note, int, str]]:
    """Each vote and each new state, with its rollback."""
    states: dict[int, str] = {}
    for note in seen:
        if note.table == "vote" and note.anew:
            yield note, note.row["rollback_id"], "vote"
        elif note.table == "rollback" and states.get(note.row["id"]) != note.row["state"]:
            states[note.row["id"]] = note.row["state"]
            yield note, note.row["id"], note.row["state"]


def _in_time(what: str, at: datetime, until: datetime | None, late: timedelta) -> bool:
    if until is None:
        return False
    if what == "EXPIRED":
        return until <= at <= until + late
    if what in {"vote", "APPROVED", "EXECUTING"}:
        return at < until + A_TRANSACTION
    return True


def wrong_leases(seen: Iterable[Note]) -> list[str]:
    """Rollbacks that were taken over while the lease of another one was running."""
    held: dict[int, Note] = {}
    wrong = []
    for note in (one for one in seen if one.table == "rollback"):
        before = held.get(note.row["id"])
        held[note.row["id"]] = note
        if before is None or before.row["lease_epoch"] == note.row["lease_epoch"]:
            continue
        until = before.time("lease_until")
        if until is not None and note.at <= until:
            wrong.append(
                f"rollback {note.row['id']}: {note.row['owner']} took it from "
                f"{before.row['owner']} at {note.at}, whose lease ran until {until}"
            )
    return wrong


def wrong_ticks(seen: Iterable[Note], periods: Mapping[str, timedelta]) -> list[str]:
    """Ticks of the jobs *periods* that another time has, or that were run twice."""
    claimed: dict[tuple[str, int], Note] = {}
    wrong = []
    for note in (one for one in seen if one.table == "slot" and one.row["job"] in periods):
        tick = note.row["job"], note.row["slot"]
        period = periods[tick[0]].total_seconds()
        before = claimed.get(tick)
        claimed[tick] = note
        if note.row["finished_at"] is not None:
            continue
        if before is not None and not _free(before, note.at):
            wrong.append(f"{tick} of {before.row['owner']} was given to {note.row['owner']} too")
        right = {(note.at - late).timestamp() // period for late in (timedelta(0), A_TRANSACTION)}
        if not min(right) <= tick[1] <= max(right):
            wrong.append(f"{tick} was claimed at {note.at}")
    return wrong


def _free(tick: Note, at: datetime) -> bool:
    until = tick.time("lease_until")
    return tick.row["finished_at"] is None and until is not None and until < at


def missed_ticks(
    seen: Iterable[Note], job: str, period: timedelta, *, start: datetime, end: datetime
) -> list[str]:
    """The ticks of *job* between *start* and *end* that nobody claimed."""
    length = period.total_seconds()
    whole = range(math.ceil(start.timestamp() / length), int(end.timestamp() // length) - 1)
    claimed = {n.row["slot"] for n in seen if n.table == "slot" and n.row["job"] == job}
    return [f"tick {tick} of {job} was missed" for tick in whole if tick not in claimed]
