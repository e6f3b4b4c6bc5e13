"""Recorded incidents, one JSON object a line.

The form is told in `docs/incidents.md`. Fields that nobody knows are passed over, and so are
series of metrics that we do not know; what is missing is taken as not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bot.domain.verdict.incident import Alert, App, Change, Incident, Metric, Runs, Series
from store.records import AppEnv

MOST_SAMPLES: Final = 20_000  # of one series
MOST_RUNS: Final = 1_000_000  # of one version
_METRICS: Final = {
    "error_ratio": Metric.ERRORS,
    "latency_p95_s": Metric.LATENCY,
    "request_rate": Metric.LOAD,
}


class BadRecord(ValueError):
    """A line that is no recorded incident; the text says where and what is wrong."""


class _App(msgspec.Struct):
    app: str
    depends_on: list[str] = []
    upstreams: list[str] = []


class _Version(msgspec.Struct):
    app: str
    env: str
    version: int
    published_at: datetime
    content_hash: str
    change_kinds: list[str] = []


class _Alert(msgspec.Struct):
    labels: dict[str, str]
    startsAt: datetime  # noqa: N815  # Alertmanager's word
    endsAt: datetime | None = None  # noqa: N815
    trigger: bool = False


class _Truth(msgspec.Struct):
    culprit_version: str | None = None
    target_version: str | None = None
    app: str | None = None
    env: str | None = None
    acceptable_content_hash: str | None = None


class _Record(msgspec.Struct):
    id: str
    decision_at: datetime
    alerts: list[_Alert]
    t0: datetime | None = None
    step_s: float = 60.0
    kind: str = ""
    apps: list[_App] = []
    versions: list[_Version] = []
    series: dict[str, list[float | None]] = {}
    runs: dict[str, dict[str, tuple[int, int]]] = {}
    truth: _Truth | None = None


@dataclass(frozen=True)
class Truth:
    """What was right: the content to go back to, and where; None: no rollback would help."""

    where: AppEnv | None
    content: str | None
    culprit: str | None


@dataclass(frozen=True)
class Recorded:
    """One recorded incident; `truth` is None where nobody wrote it down."""

    id: str
    kind: str
    incident: Incident
    truth: Truth | None


def read(line: bytes | str) -> Recorded:
    """Return the incident of one *line*.

    Raises:
        BadRecord: It is none; the text names the place and what is expected there.
    """
    try:
        record = msgspec.json.decode(line, type=_Record)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRecord(str(error)) from error
    triggers = [alert for alert in record.alerts if alert.trigger]
    if len(triggers) != 1:
        raise BadRecord(
            f"{len(triggers)} alerts have `trigger`; one is decided about - at `$.alerts`"
        )
    if not 1 <= record.step_s <= 86_400:
        raise BadRecord("must be from 1 to 86400 seconds - at `$.step_s`")
    if record.series and record.t0 is None:
        raise BadRecord("is needed for the series - at `$.t0`")
    _aware(record)
    incident = Incident(
        alert=_alert(triggers[0]),
        decided_at=record.decision_at,
        apps={a.app: App(a.app, tuple(a.depends_on), tuple(a.upstreams)) for a in record.apps},
        changes=[_change(version) for version in record.versions],
        alerts=[_alert(alert) for alert in record.alerts],
        series=_series(record),
        runs={_place(name): _runs(name, counts) for name, counts in record.runs.items()},
    )
    return Recorded(record.id, record.kind, incident, _truth(record))


def _aware(record: _Record) -> None:
    times = [("decision_at", record.decision_at), ("t0", record.t0)]
    times += [
        (f"versions[{n}].published_at", v.published_at) for n, v in enumerate(record.versions)
    ]
    times += [(f"alerts[{n}].startsAt", a.startsAt) for n, a in enumerate(record.alerts)]
    times += [(f"alerts[{n}].endsAt", a.endsAt) for n, a in enumerate(record.alerts)]
    for place, at in times:
        if at is not None and not 1970 < at.year < 9000 and place[-6:] != "endsAt":
            raise BadRecord(f"is no time of an incident - at `$.{place}`")
        if at is not None and at.tzinfo is None:
            raise BadRecord(f"has no time zone; write it as 2026-01-02T03:04:05Z - at `$.{place}`")


def _alert(alert: _Alert) -> Alert:
    labels = alert.labels
    where = AppEnv(labels.get("app", ""), labels.get("env", ""))
    ends_at = alert.endsAt if alert.endsAt is not None and alert.endsAt.year > 1 else None
    return Alert(where, labels.get("alertname", ""), alert.startsAt, ends_at)


def _change(version: _Version) -> Change:
    return Change(
        where=AppEnv(version.app, version.env),
        number=version.version,
        at=version.published_at,
        content=version.content_hash,
        kinds=frozenset(version.change_kinds),
    )


def _series(record: _Record) -> dict[AppEnv, Sequence[Series]]:
    found: dict[AppEnv, list[Series]] = {}
    for name, values in record.series.items():
        place, _, metric = name.rpartition("/")
        app, _, env = place.rpartition("/")
        if metric not in _METRICS or not app or record.t0 is None:
            continue
        if len(values) > MOST_SAMPLES:
            raise BadRecord(f"has more than {MOST_SAMPLES} samples - at `$.series[{name!r}]`")
        numbers = tuple(float("nan") if value is None else value for value in values)
        step = timedelta(seconds=record.step_s)
        one = Series(_METRICS[metric], record.t0, step, numbers)
        found.setdefault(AppEnv(app, env), []).append(one)
    return {**found}


def _place(name: str) -> AppEnv:
    app, _, env = name.rpartition("/")
    return AppEnv(app, env)


def _runs(name: str, counts: Mapping[str, tuple[int, int]]) -> dict[int, Runs]:
    """The runs of an app by version; each is [succeeded, failed]."""
    found: dict[int, Runs] = {}
    for number, (ok, failed) in counts.items():
        place = f"$.runs[{name!r}][{number!r}]"
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise BadRecord(f"is no version's number - at `{place}`")
        if not (0 <= ok <= MOST_RUNS and 0 <= failed <= MOST_RUNS):
            raise BadRecord(f"counts are from 0 to {MOST_RUNS} - at `{place}`")
        found[int(number)] = Runs(ok, failed)
    return found


def _truth(record: _Record) -> Truth | None:
    told = record.truth
    if told is None:
        return None
    if told.target_version is None:
        return Truth(None, None, told.culprit_version)
    place, _, _ = told.target_version.rpartition("@")
    app, _, env = place.rpartition("/")
    where = AppEnv(told.app or app, told.env or env)
    return Truth(where, told.acceptable_content_hash, told.culprit_version)


def version_name(change: Change) -> str:
    """A version as these records write it: `app/env@N`."""
    return f"{change.where.app}/{change.where.env}@{change.number}"
