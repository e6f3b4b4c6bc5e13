"""Count what the database knows, for those who watch the service.

It is counted from the first row on, so a figure is the same whichever replica is asked, and a
restart takes nothing back. What has ended is read once; what goes on, again each time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.domain import drill, recovery, schedule
from bot.domain.phases import Phase, phases
from bot.domain.quorum import KEYTURN
from bot.ports.store import Store, Transaction
from store.records import AppEnv, Backlog, Choice, Rollback, SinkState, State, Version

PAGE = 200  # rollbacks that are read at once
_NAMED_WITHIN = timedelta(hours=2)  # a sink that nobody named since is one no more
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """What is counted of one rollback: of its first app, and the drills of all apart."""

    where: AppEnv
    state: State
    outcome: str
    by_alert: bool  # suggested by Keyturn, and not asked for by a person
    drill: bool
    approvals: int
    rejections: int
    broke_glass: bool
    recovery: str  # "" where nothing is watched
    phases: Mapping[Phase, float]


@dataclass(frozen=True)
class Reading:
    """What the database knew at one moment; `rollbacks` are all that there ever were."""

    at: datetime
    live: Sequence[Version]  # the newest numbered version of every app@env
    rollbacks: Sequence[Told]
    open_cases: int
    backlogs: Sequence[Backlog]
    ticked: Mapping[str, datetime]
    audited: Mapping[tuple[str, str], int]
    audit_seq: int
    paused: bool
    sinks: Sequence[SinkState] = ()


@dataclass
class Figures:
    """Counts on from what was counted before; one reading at a time."""

    store: Store
    _audited: Counter[tuple[str, str]] = field(default_factory=Counter)
    _seq: int = 0
    _told: dict[int, Told] = field(default_factory=dict)
    _going_on: set[int] = field(default_factory=set)
    _newest: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self) -> Reading:
        """Count up to now.

        Raises:
            Unavailable: The database does not answer; the next reading goes on from here.
        """
        async with self._turn, self.store.read() as tx:
            await self._count_audit(tx)
            await self._count_rollbacks(tx)
            return Reading(
                at=await tx.now(),
                live=list((await tx.versions.newest_of_all()).values()),
                rollbacks=tuple(self._told.values()),
                open_cases=len(await tx.cases.open_cases()),
                backlogs=await tx.figures.backlogs(),
                ticked=await tx.figures.ticked([job.name for job in schedule.JOBS]),
                audited=dict(self._audited),
                audit_seq=self._seq,
                paused=await tx.pause.current() is not None,
                sinks=await tx.sinks.states(seen_within=_NAMED_WITHIN),
            )

    async def _count_audit(self, tx: Transaction) -> None:
        head, _ = await tx.audit.head()
        self._audited.update(await tx.figures.audited(after=self._seq, until=head))
        self._seq = head

    async def _count_rollbacks(self, tx: Transaction) -> None:
        for rollback_id in sorted(self._going_on):
            await self._tell(tx, await tx.rollbacks.get(rollback_id))
        while new := await tx.rollbacks.opened(since=_LONG_AGO, after=self._newest, limit=PAGE):
            for rollback in new:
                await self._tell(tx, rollback)
                self._newest = rollback.id

    async def _tell(self, tx: Transaction, rollback: Rollback) -> None:
        self._told[rollback.id] = _told(rollback, await _began(tx, rollback))
        if rollback.open or rollback.watched:
            self._going_on.add(rollback.id)
        else:
            self._going_on.discard(rollback.id)


async def _began(tx: Transaction, rollback: Rollback) -> datetime | None:
    """When the alert fired that brought *rollback* about; None where none did."""
    watched = rollback.recovery
    case = await tx.cases.get(watched.case_id if watched is not None else rollback.case_id)
    firings = drill.about(rollback, await tx.alerts.of_case(case.id))
    return recovery.meant(firings, case.finding).starts_at if firings else None


def _told(rollback: Rollback, began: datetime | None) -> Told:
    standing = [vote.choice for vote in rollback.votes if vote.voided_at is None]
    return Told(
        where=rollback.leg.where,
        state=rollback.state,
        outcome=rollback.outcome,
        by_alert=rollback.requested_by == KEYTURN,
        drill=rollback.drill,
        approvals=standing.count(Choice.APPROVE),
        rejections=standing.count(Choice.REJECT),
        broke_glass=rollback.broken_by is not None,
        recovery=rollback.recovery.state.value if rollback.recovery is not None else "",
        phases=phases(rollback, began),
    )
