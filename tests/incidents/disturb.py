"""Records as a worse world would have recorded them. The truth stays what it was.

All are pure: they take a record and return another one; where dice are thrown, a seed says how.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from tests.incidents.record import Record

Disturbance = Callable[[Record, int], Record]
Samples = list[float | None]

_UNKNOWN_METRICS = ("token_rate", "active_conversations")
_UNKNOWN_CHANGES = ("agent_strategy", "プラグイン", "mcp server")


def missing_scrapes(record: Record, seed: int, *, share: float) -> Record:
    """Lose *share* of the samples; those of one deployment go together."""
    dice = np.random.default_rng(seed)
    lost: dict[str, set[int]] = {}
    disturbed = copy.deepcopy(record)
    for name, values in disturbed["series"].items():
        key = _deployment(name)
        if key not in lost:
            lost[key] = {int(n) for n in np.flatnonzero(dice.random(len(values)) < share)}
        disturbed["series"][name] = _without(values, lost[key])
    return disturbed


def hole_at_onset(record: Record, seed: int) -> Record:
    """Lose every sample for 8 to 20 minutes in which the onset lies."""
    dice = np.random.default_rng(seed)
    lasts_s = float(dice.uniform(480, 1200))
    onset_s = _seconds(record["truth"]["onset_at"]) - _seconds(record["t0"])
    begins_s = onset_s - lasts_s * float(dice.uniform(0.2, 0.8))
    disturbed = copy.deepcopy(record)
    for name, values in disturbed["series"].items():
        times = np.arange(len(values)) * record["step_s"]
        inside = (times >= begins_s) & (times <= begins_s + lasts_s)
        disturbed["series"][name] = _without(values, {int(n) for n in np.flatnonzero(inside)})
    return disturbed


def coarser(record: Record, seed: int, *, times: int) -> Record:
    """Keep one sample of *times*; the seed has no say."""
    del seed
    disturbed = copy.deepcopy(record)
    disturbed["step_s"] = record["step_s"] * times
    disturbed["series"] = {name: values[::times] for name, values in record["series"].items()}
    return disturbed


def shifted_clock(record: Record, seed: int, *, seconds: int) -> Record:
    """Put the series later by *seconds* (earlier: negative) against versions and alerts.

    What is then later than the decision is cut off. The seed has no say.
    """
    del seed
    disturbed = copy.deepcopy(record)
    disturbed["t0"] = _later(record["t0"], seconds)
    left_s = _seconds(record["decision_at"]) - _seconds(disturbed["t0"])
    many = int(left_s // record["step_s"]) + 1
    disturbed["series"] = {name: values[:many] for name, values in record["series"].items()}
    return disturbed


def scaled(record: Record, seed: int, *, metric: str, factor: float) -> Record:
    """Give *metric* in another unit, under its old name; the seed has no say."""
    del seed
    disturbed = copy.deepcopy(record)
    for name, values in record["series"].items():
        if _metric(name) == metric:
            disturbed["series"][name] = [
                None if value is None else round(value * factor, 6) for value in values
            ]
    return disturbed


def only_alerting_app(record: Record, seed: int) -> Record:
    """Keep the series of the deployment that alerts; the seed has no say."""
    del seed
    here = _alerting(record)
    return _keeping(record, lambda name: _deployment(name) == here)


def only_its_errors(record: Record, seed: int) -> Record:
    """Keep the error ratio of the deployment that alerts; the seed has no say."""
    del seed
    here = _alerting(record)
    return _keeping(record, lambda name: name == f"{here}/error_ratio")


def without_load(record: Record, seed: int) -> Record:
    """Keep no request rate; the seed has no say."""
    del seed
    return _keeping(record, lambda name: _metric(name) != "request_rate")


def without_prometheus(record: Record, seed: int) -> Record:
    """Keep no series at all; the seed has no say."""
    del seed
    return _keeping(record, lambda _name: False)


def unknown_things(record: Record, seed: int) -> Record:
    """Add fields, metrics and kinds of change that nobody has heard of."""
    dice = np.random.default_rng(seed)
    disturbed = copy.deepcopy(record)
    disturbed["schema"] = {"revision": int(dice.integers(2, 99))}
    for version in disturbed["versions"]:
        version["marked_name"] = ""
        if version["change_kinds"] and dice.random() < 0.5:
            version["change_kinds"].append(str(dice.choice(_UNKNOWN_CHANGES)))
    for alert in disturbed["alerts"]:
        alert["generatorURL"] = "https://prometheus.example/graph"
        alert["labels"]["pod"] = f"api-{int(dice.integers(1000))}"
    for key, length in {_deployment(n): len(v) for n, v in record["series"].items()}.items():
        for metric in _UNKNOWN_METRICS:
            walk = np.abs(np.cumsum(dice.normal(0, 1, length)))
            disturbed["series"][f"{key}/{metric}"] = [round(float(value), 3) for value in walk]
    return disturbed


def newest_versions(record: Record, seed: int, *, many: int) -> Record:
    """Keep the newest versions of each deployment, *many* of each; the seed has no say.

    The culprit or its target may be among those that are gone.
    """
    del seed
    by_key: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for version in record["versions"]:
        by_key[version["app"], version["env"]].append(version)
    kept = {
        (version["app"], version["env"], version["version"])
        for versions in by_key.values()
        for version in versions[-many:]
    }
    disturbed = copy.deepcopy(record)
    disturbed["versions"] = [
        version
        for version in disturbed["versions"]
        if (version["app"], version["env"], version["version"]) in kept
    ]
    return disturbed


DISTURBANCES: Mapping[str, Disturbance] = {
    "missing 10 %": partial(missing_scrapes, share=0.1),
    "missing 30 %": partial(missing_scrapes, share=0.3),
    "hole at the onset": hole_at_onset,
    "step x 2": partial(coarser, times=2),
    "step x 5": partial(coarser, times=5),
    "series 60 s later": partial(shifted_clock, seconds=60),
    "series 60 s earlier": partial(shifted_clock, seconds=-60),
    "series 180 s later": partial(shifted_clock, seconds=180),
    "series 180 s earlier": partial(shifted_clock, seconds=-180),
    "latency in ms": partial(scaled, metric="latency_p95_s", factor=1000.0),
    "errors in percent": partial(scaled, metric="error_ratio", factor=100.0),
    "only the alerting app": only_alerting_app,
    "only its errors": only_its_errors,
    "no load": without_load,
    "no Prometheus": without_prometheus,
    "unknown things": unknown_things,
    "newest 3 versions": partial(newest_versions, many=3),
}


def _without(values: Samples, lost: set[int]) -> Samples:
    return [None if n in lost else value for n, value in enumerate(values)]


def _keeping(record: Record, wanted: Callable[[str], bool]) -> Record:
    disturbed = copy.deepcopy(record)
    disturbed["series"] = {n: v for n, v in disturbed["series"].items() if wanted(n)}
    return disturbed


def _deployment(name: str) -> str:
    return name.rpartition("/")[0]


def _metric(name: str) -> str:
    return name.rpartition("/")[2]


def _alerting(record: Record) -> str:
    labels = next(alert["labels"] for alert in record["alerts"] if alert["trigger"])
    return f"{labels['app']}/{labels['env']}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _later(text: str, seconds: float) -> str:
    moved = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")
