"""The alert that tells others that an app was rolled back, and by which it is known again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

ALERTNAME: Final = "ConfigRolledBack"
LATE: Final = timedelta(minutes=5)  # how long it stands where it could not be told in its time
_MARK, _BY = "keyturn", "rollback"
_NAMED = 5  # alerts that are named one by one
_LEAST_AGAIN, _MOST_AGAIN, _TIMES = timedelta(minutes=1), timedelta(minutes=2), 30


@dataclass(frozen=True)
class Announced:
    """An alert as Alertmanager is told of it; the same *labels* are the same alert there."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Step:
    """What one app of a rollback went through, by the numbers of its versions.

    `live` is the one that the rollback made; None where nobody knows it. `alerts` are the names of
    those that brought it about, and `approvals` how many people agreed.
    """

    app: str
    env: str
    old: int | None
    back_to: int | None
    live: int | None
    approvals: int
    alone: bool
    alerts: tuple[str, ...] = ()


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether *labels* are those of our own alert, which is nobody's trouble."""
    return labels.get("alertname") == ALERTNAME and labels.get(_MARK) == _BY


def labels(step: Step, *, app: str, env: str) -> dict[str, str]:
    """The labels for *step*, where the labels *app* and *env* name the app and its environment."""
    return {
        "alertname": ALERTNAME,
        app: step.app,
        env: step.env,
        "severity": "info",
        _MARK: _BY,
    }


def words(step: Step, *, record: str) -> dict[str, str]:
    """What is said of *step*: numbers and names only; *record* is an address, "" for none."""
    went = f"{step.app}@{step.env} went back from version {step.old} to version {step.back_to}"
    now = f", live as version {step.live}" if step.live else ""
    by = f"{step.approvals} approval{'' if step.approvals == 1 else 's'}"
    by = "one person alone, by break-glass" if step.alone else by
    said = {
        "summary": f"{went}{now}",
        "from_version": str(step.old or ""),
        "to_version": str(step.back_to or ""),
        "live_version": str(step.live or ""),
        "agreed": by,
        "because_of": ", ".join(step.alerts[:_NAMED]),
        "record": record,
    }
    return {name: value for name, value in said.items() if value}


def again_after(bake: timedelta) -> timedelta:
    """When it is told again: an Alertmanager that was restarted has forgotten every alert."""
    return min(max(_LEAST_AGAIN, bake / _TIMES), _MOST_AGAIN)
