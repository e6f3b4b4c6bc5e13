"""Ten thousand alerts of many apps that begin, end and begin again; who says so keeps a journal.

None ends before its beginning was heard of. Alertmanager (0.25) tells nobody of an alert that has
ended before and begins and ends again between two flushes of its group: that these labels are
resolved it has told already.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ENV = "prod"
NAMES = ("HighErrorRate", "SlowAnswers")
A_CELL = 25  # alerts: one group of Alertmanager's, that comes at once
CHURNED, TURNED = 5, 0.5  # cells a wave, and which part of their alerts
Json = dict[str, Any]


@dataclass
class Alert:
    """One label set, and whether it fires; `ends_at` is None while it does."""

    number: int
    app: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    steady: bool = False  # fires to the end, so that its app's case does

    @property
    def instance(self) -> str:
        """What no other alert has."""
        return f"pod-{self.number:05d}"

    @property
    def cell(self) -> str:
        return f"{self.app}/{self.number // A_CELL}"

    @property
    def fires(self) -> bool:
        return self.starts_at is not None and self.ends_at is None

    def as_json(self) -> Json:
        """As Prometheus posts it."""
        assert self.starts_at is not None
        labels = {
            "alertname": NAMES[self.number % len(NAMES)],
            "app": self.app,
            "env": ENV,
            "cell": self.cell,
            "instance": self.instance,
            "severity": "critical",
        }
        said: Json = {
            "labels": labels,
            "annotations": {"summary": f"{self.instance} of {self.app} answers badly"},
            "startsAt": self.starts_at.isoformat(timespec="milliseconds"),
        }
        if self.ends_at is not None:
            said["endsAt"] = self.ends_at.isoformat(timespec="milliseconds")
        return said


Heard = Callable[[Alert], bool]  # whether what an alert is now was acknowledged to Alertmanager


@dataclass
class Storm:
    """All alerts; they come in *waves*, until each has fired once at least."""

    apps: Sequence[str]
    count: int
    waves: int
    dice: random.Random
    alerts: list[Alert] = field(default_factory=list)
    begun_again: int = 0
    _chunks: list[list[Alert]] = field(default_factory=list)
    _begun: int = 0  # waves

    def __post_init__(self) -> None:
        per_app = self.count // len(self.apps)
        for number in range(self.count):
            app = self.apps[min(number // per_app, len(self.apps) - 1)]
            self.alerts.append(Alert(number, app, steady=number % per_app == 0))
        rest = [alert for alert in self.alerts if not alert.steady]
        self._chunks = [rest[at : at + A_CELL] for at in range(0, len(rest), A_CELL)]
        self.dice.shuffle(self._chunks)

    def steady(self, apps: Collection[str]) -> list[Json]:
        """The alert of each of *apps* that fires first, and to the end."""
        return self._begin(alert for alert in self.alerts if alert.steady and alert.app in apps)

    def wave(self, heard: Heard) -> list[Json]:
        """The next wave: new alerts, and of apps whose first is *heard* of some end or begin again.

        Some are only told again, as Prometheus does all the time.
        """
        self._begun += 1
        left = max(self.waves - self._begun + 1, 1)
        new = [self._chunks.pop() for _ in range(-(-len(self._chunks) // left))]
        return [*self._begin(a for chunk in new for a in chunk), *self._churn(heard)]

    def ends(self, heard: Heard) -> list[Json]:
        """The end of one alert, that fires and is *heard* of, in each of a few cells."""
        firing = [a for a in self.alerts if a.fires and not a.steady and heard(a)]
        last = {alert.cell: alert for alert in firing}
        told = []
        for cell in self.dice.sample(sorted(last), min(CHURNED, len(last))):
            self._turn(last[cell], heard)
            told.append(last[cell].as_json())
        return [one for one in told if "endsAt" in one]

    def _begin(self, alerts: Iterator[Alert]) -> list[Json]:
        told = []
        for alert in alerts:
            alert.starts_at = _now()
            told.append(alert.as_json())
        return told

    def _churn(self, heard: Heard) -> list[Json]:
        open_apps = {a.app for a in self.alerts if a.steady and heard(a)}
        begun = {a.cell for a in self.alerts if a.starts_at and a.app in open_apps}
        cells = set(self.dice.sample(sorted(begun), min(CHURNED, len(begun))))
        told = []
        for alert in self.alerts:
            if alert.cell not in cells or alert.starts_at is None:
                continue
            if not alert.steady and self.dice.random() < TURNED:
                self._turn(alert, heard)
            told.append(alert.as_json())
        return told

    def _turn(self, alert: Alert, heard: Heard) -> None:
        now = _now()
        if alert.fires and heard(alert) and alert.starts_at and alert.starts_at < now:
            alert.ends_at = now
        elif alert.ends_at is not None and alert.ends_at < now:
            alert.starts_at, alert.ends_at = now, None
            self.begun_again += 1


def _now() -> datetime:
    """This moment, to the millisecond: Alertmanager's API has no finer one."""
    now = datetime.now(UTC)
    return now - timedelta(microseconds=now.microsecond % 1000)
