"""A chart of an incident as values: what is shown and where, but not how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.verdict.incident import Metric

Interval = tuple[datetime, datetime]


class How(StrEnum):
    """How a version came to be live."""

    PUBLISHED = "published"
    RESTORED = "restored"  # its content was live before
    DRIFTED = "drifted"  # nobody published it


class Role(StrEnum):
    """What a version is to the incident."""

    SUSPECT = "suspect"
    CANDIDATE = "candidate"
    OWN = "own"  # any other of the app that the chart is about
    BEHIND = "behind"  # of an app that it uses


@dataclass(frozen=True)
class Mark:
    """When a version went live, and how it is called here.

    Of many close together those of a lower `rank` keep their names. An `early` one went live
    before the chart begins.
    """

    at: datetime
    label: str
    role: Role
    rank: int
    how: How = How.PUBLISHED
    early: bool = False


@dataclass(frozen=True)
class Panel:
    """One metric: samples `step` apart from `began`, None where nothing was measured.

    `usual` is its level before the trouble, `now` its level at the end; None where not known.
    """

    metric: Metric
    began: datetime
    step: timedelta
    values: tuple[float | None, ...]
    usual: float | None = None
    now: float | None = None

    def measured(self) -> Iterator[tuple[datetime, float]]:
        """What was measured, and when."""
        for index, value in enumerate(self.values):
            if value is not None:
                yield self.began + index * self.step, value


@dataclass(frozen=True)
class Firing:
    """A time in which the alert fired, as far as the chart reaches; `open` where it still does."""

    began: datetime
    ended: datetime
    open: bool = False


@dataclass(frozen=True)
class ChartView:
    """All that a chart shows, in UTC; the first panel is of the metric that turned first.

    Texts are one line, short and without hidden characters.
    """

    where: str
    headline: str
    alert: str
    began: datetime
    ended: datetime
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...] = ()
    onset: Interval | None = None
    firings: tuple[Firing, ...] = ()
