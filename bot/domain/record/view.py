"""What the page of a rollback's record shows: a pure function of what the store holds.

All texts that people wrote have lost what looks like a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.chart.view import ChartView
from bot.domain.diff.page import DiffPage
from bot.domain.record.entries import ShownEntry
from bot.domain.record.moments import Moment
from store.records import Json, PolicySnapshot, Rollback, State


@dataclass(frozen=True)
class AlertShown:
    """One alert of the case; its texts come from outside."""

    name: str
    severity: str
    fingerprint: str
    began: datetime
    ended: datetime | None
    summary: str


@dataclass(frozen=True)
class Cause:
    """What Keyturn found, and what it rests on.

    `code` names the sentence of the finding, "" where the case has another one by now; `reasons`
    each name one of the evidence. `by_chart` says that it was measured, so that there was a chart.
    """

    code: str
    facts: Mapping[str, Json]
    reasons: Sequence[Mapping[str, Json]] = ()
    percent: int | None = None
    by_chart: bool = False


@dataclass(frozen=True)
class LegShown:
    """One app of the rollback: what was live, what was to be, and what came of it.

    `made` is the number of the version that was read back, None where there is none; `back` says
    what became of it where it had to be put back. `page` is the difference, None where it cannot
    be read any more.
    """

    where: str
    old: int | None
    new: int | None
    live_root: str
    expected_root: str
    made: int | None
    verified: bool
    back: str
    draft: str
    dry_run: tuple[str, ...]
    restored: bool
    page: DiffPage | None


@dataclass(frozen=True)
class Related:
    """Another rollback, and how it stands."""

    id: int
    state: State


@dataclass(frozen=True)
class Chain:
    """The audit entries of the rollback, and where they stand in the chain.

    `seq` and `head` are those of the newest entry of all; `flaw` says what is wrong with the
    entries shown, "" when nothing is.
    """

    entries: tuple[ShownEntry, ...]
    seq: int
    head: str
    flaw: str

    @property
    def withheld(self) -> int:
        """How many entries are shown in part."""
        return sum(shown.withheld for shown in self.entries)


@dataclass(frozen=True)
class RecordPage:
    """The whole record of one rollback, as it stood at `made_at`.

    `rollback` has the words of people without what looks like a secret. `times` are the seconds
    from the alert's first firing to each step of the way, as far as they came.
    """

    made_at: datetime
    where: str
    rollback: Rollback
    alerts: tuple[AlertShown, ...]
    cause: Cause | None
    onset: tuple[datetime, datetime] | None
    chart: ChartView | None
    impact: Mapping[str, Json] | None
    legs: tuple[LegShown, ...]
    policy: PolicySnapshot
    needed: int
    moments: tuple[Moment, ...]
    moves: tuple[tuple[datetime, State], ...]
    seconds: float | None
    recovery: Mapping[str, Json] | None
    times: Mapping[str, Json]
    slipped_in: tuple[str, ...]
    undone_by: Related | None
    undoes: Related | None
    beside: tuple[Related, ...]
    chain: Chain

    @property
    def title(self) -> str:
        """What the page is called."""
        others = len(self.legs) - 1
        more = f" and {others} more {'app' if others == 1 else 'apps'}" if others else ""
        mark = "Drill: rollback" if self.rollback.drill else "Rollback"
        return f"{mark} {self.rollback.id} of {self.where}{more}"

    @property
    def state(self) -> State:
        return self.rollback.state
