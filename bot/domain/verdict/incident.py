"""What a decision looks at: apps, the changes of them, alerts, and series of measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from store.records import AppEnv


class Metric(StrEnum):
    """What a series measures. More errors and more latency are worse; load is neither."""

    ERRORS = "errors"  # share of the requests, 0 to 1
    LATENCY = "latency"  # seconds
    LOAD = "load"  # requests a second
    OTHER = "other"  # of any scale; more is worse


@dataclass(frozen=True)
class Series:
    """Measurements of one metric, equally far apart; NaN where nothing was measured.

    One that is `of_alert` is what the alert's own rule compares with its threshold.
    """

    metric: Metric
    began: datetime
    step: timedelta
    values: Sequence[float]
    of_alert: bool = False


@dataclass(frozen=True)
class Change:
    """One version and when it went live. `content` is equal where the meaning is.

    `late` is by how much it may have been live before `at`: a change that nobody published is
    known from when it was noticed. `kinds` are words for what was changed, unknown ones included;
    empty where nobody knows.
    """

    where: AppEnv
    number: int
    at: datetime
    content: str
    late: timedelta = timedelta()
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Alert:
    """One alert from its start to its end; `ends_at` is None while it fires."""

    where: AppEnv
    name: str
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Runs:
    """How many runs succeeded and how many failed."""

    ok: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        return self.ok + self.failed

    def __add__(self, other: Runs) -> Runs:
        return Runs(self.ok + other.ok, self.failed + other.failed)


@dataclass(frozen=True)
class App:
    """What an app uses: other apps, and outside services by any name."""

    name: str
    depends_on: Sequence[str] = ()
    upstreams: Sequence[str] = ()


@dataclass(frozen=True)
class Heard:
    """How often people accepted and rejected earlier suggestions for the same app and alert.

    `last` is what the last one wrote who rejected one; "" where nobody did.
    """

    accepted: int = 0
    rejected: int = 0
    last: str = ""


@dataclass(frozen=True)
class Incident:
    """An alert, and what is known around it. Nothing later than `decided_at` is looked at.

    `waited` is how long the alert's rule waits before it fires, None where nobody knows; rules
    wait `usual_wait` as a rule. `smeared` is over how long the rule averages, as far as known.
    `runs` are those of each version, by its number, in the time before the decision that is looked
    at; where nobody counts them there are none.
    `condemned` are contents that must not be suggested, `mute` those that could not answer anybody,
    `good` those that a person vouched for.
    `heard` is what people said to suggestions before.
    """

    alert: Alert
    decided_at: datetime
    apps: Mapping[str, App] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    alerts: Sequence[Alert] = ()
    series: Mapping[AppEnv, Sequence[Series]] = field(default_factory=dict)
    runs: Mapping[AppEnv, Mapping[int, Runs]] = field(default_factory=dict)
    waited: timedelta | None = None
    usual_wait: timedelta = timedelta(minutes=5)
    smeared: timedelta = timedelta()
    condemned: Mapping[AppEnv, frozenset[str]] = field(default_factory=dict)
    mute: Mapping[AppEnv, frozenset[str]] = field(default_factory=dict)
    good: Mapping[AppEnv, frozenset[str]] = field(default_factory=dict)
    heard: Heard = Heard()

    @property
    def where(self) -> AppEnv:
        return self.alert.where
