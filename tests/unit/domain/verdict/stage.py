"""Incidents put together for tests: minutes before the alert fires, noise from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from bot.domain.verdict.decide import Decision, decide
from bot.domain.verdict.incident import Alert, App, Change, Incident, Metric, Series
from store.records import AppEnv
from tests.builders import NOON, PROD

SEARCH = AppEnv("kb-search", "prod")
BILLING = AppEnv("billing", "prod")
HOURS = 6
MINUTES = HOURS * 60
STEP = timedelta(minutes=1)
Shape = Mapping[float, float]  # from which minute before the alert on it stands at which level


def ago(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def a_change(number: int, minutes: float, content: str = "", where: AppEnv = PROD) -> Change:
    """Version *number*, which went live *minutes* before the alert fires."""
    return Change(where, number, NOON - ago(minutes), content or f"{where}{number}")


def an_alert(
    minutes: float = 0, *, lasts: float | None = None, where: AppEnv = PROD, name: str = "Errors"
) -> Alert:
    start = NOON - ago(minutes)
    return Alert(where, name, start, None if lasts is None else start + ago(lasts))


def measured(
    metric: Metric, usual: float, shape: Shape | None = None, *, seed: int = 1, noise: float = 0.1
) -> Series:
    """Six hours up to the alert at *usual*, and from each minute of *shape* on at its level."""
    dice = np.random.default_rng(seed)
    level = np.full(MINUTES, usual)
    for minutes, height in sorted((shape or {}).items(), reverse=True):
        level[MINUTES - round(minutes) :] = height
    return series(metric, level * np.exp(noise * dice.standard_normal(MINUTES)))


def growing(metric: Metric, usual: float, minutes: int, end: float, *, seed: int = 1) -> Series:
    """Six hours at *usual*, the last *minutes* of them on the way up to *end*."""
    dice = np.random.default_rng(seed)
    level = np.full(MINUTES, usual)
    level[MINUTES - minutes :] = np.linspace(usual, end, minutes)
    return series(metric, level * np.exp(0.05 * dice.standard_normal(MINUTES)))


def series(metric: Metric, values: Sequence[float] | np.ndarray) -> Series:
    return Series(metric, NOON - len(values) * STEP, STEP, tuple(float(v) for v in values))


@dataclass
class Stage:
    """An alert on support-triage@prod at noon, with what a test puts around it."""

    changes: list[Change] = field(default_factory=list)
    series: dict[AppEnv, list[Series]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    apps: dict[str, App] = field(default_factory=lambda: {PROD.app: App(PROD.app)})
    alert: Alert = field(default_factory=an_alert)
    seconds_later: float = 30.0

    @property
    def incident(self) -> Incident:
        return Incident(
            alert=self.alert,
            decided_at=NOON + timedelta(seconds=self.seconds_later),
            apps=self.apps,
            changes=self.changes,
            alerts=self.alerts,
            series=self.series,
        )

    def decide(self, **more: object) -> Decision:
        return decide(replace(self.incident, **more))  # type: ignore[arg-type]


def errors_jump(minutes: float = 6, **more: float) -> Series:
    return measured(Metric.ERRORS, 0.01, {minutes: 0.25}, **more)  # type: ignore[arg-type]
