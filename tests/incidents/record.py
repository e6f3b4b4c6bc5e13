"""An incident as one JSON object, in the format of recorded incidents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from tests.incidents.arrays import Array
from tests.incidents.incident import Incident, environments
from tests.incidents.publishing import Version
from tests.incidents.rules import Alert

Record = dict[str, Any]
_DIGITS = {"request_rate": 4, "error_ratio": 4, "latency_p95_s": 3}


def as_record(incident: Incident, name: str) -> Record:
    """Return the object; nothing in it is later than the decision."""
    return {
        "id": name,
        "kind": incident.kind,
        "t0": _time(incident, incident.from_s),
        "step_s": int(incident.case.scraping.step_s),
        "decision_at": _time(incident, incident.decided_s),
        "apps": _apps(incident),
        "versions": [_version(incident, version) for version in _published(incident)],
        "alerts": _alerts(incident),
        "series": _series(incident),
        "truth": _truth(incident),
    }


def _time(incident: Incident, at_s: float) -> str:
    when = incident.case.start + timedelta(seconds=round(at_s, 3))
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _apps(incident: Incident) -> list[Record]:
    world = incident.case.plan.world
    envs = environments(world)
    return [
        {
            "app": app,
            "envs": list(envs[app]),
            "depends_on": list(callees),
            "upstreams": list(world.upstreams[app]),
        }
        for app, callees in world.depends_on.items()
    ]


def _published(incident: Incident) -> list[Version]:
    until_s = incident.decided_s - incident.clock_s
    everything = incident.run.timeline.all()
    return [v for v in everything if v.at_s <= min(until_s, incident.decided_s)]


def _version(incident: Incident, version: Version) -> Record:
    app, _, env = version.key.partition("/")
    return {
        "app": app,
        "env": env,
        "version": version.number,
        "published_at": _time(incident, version.at_s + incident.clock_s),
        "how": version.how,
        "restored_from": version.restored_from,
        "content_hash": version.content,
        "change_kinds": list(version.kinds),
        "content_ref": f"generated/{version.content}.yml",
    }


def _alerts(incident: Incident) -> list[Record]:
    told = [_alert(incident, alert, trigger=False) for alert in incident.alerts]
    told.append(_alert(incident, incident.trigger, trigger=True))
    return sorted(told, key=lambda alert: (alert["startsAt"], alert["fingerprint"]))


def _alert(incident: Incident, alert: Alert, *, trigger: bool) -> Record:
    app, _, env = alert.rule.key.partition("/")
    return {
        "status": "firing" if alert.ends_s is None else "resolved",
        "labels": {
            "alertname": alert.rule.name,
            "app": app,
            "env": env,
            "severity": alert.rule.severity,
            "service": app.partition("-")[0],
        },
        "annotations": {"runbook_url": f"https://runbooks.example/{app}/{alert.rule.name}"},
        "startsAt": _time(incident, alert.starts_s),
        "endsAt": None if alert.ends_s is None else _time(incident, alert.ends_s),
        "receivedAt": _time(incident, alert.received_s),
        "fingerprint": alert.fingerprint,
        "trigger": trigger,
    }


def _series(incident: Incident) -> dict[str, list[float | None]]:
    how = incident.case.scraping
    every = round(how.step_s / how.eval_s)
    first = round(incident.from_s / how.eval_s)
    last = int(incident.decided_s // how.eval_s)
    return {
        f"{key}/{metric}": _plain(values[first : last + 1 : every], _DIGITS[metric])
        for key, metrics in incident.run.series.items()
        for metric, values in metrics.items()
    }


def _plain(values: Array, digits: int) -> list[float | None]:
    rounded = np.round(values, digits)
    return [None if np.isnan(value) else float(value) for value in rounded]


def _truth(incident: Incident) -> Record:
    truth = incident.truth
    where = truth.target.key if truth.target else None
    app, _, env = where.partition("/") if where else ("", "", "")
    return {
        "culprit_version": _named(truth.culprit),
        "target_version": _named(truth.target),
        "app": app or None,
        "env": env or None,
        "acceptable_content_hash": truth.target.content if truth.target else None,
        "onset_at": _time(incident, incident.onset_s),
        "nearest_innocent_change_min": _nearest(incident),
        "reason": truth.reason,
    }


def _named(version: Version | None) -> str | None:
    return None if version is None else f"{version.key}@{version.number}"


def _nearest(incident: Incident) -> float | None:
    """Return minutes from the onset to the nearest change of that app that is not the culprit."""
    culprit = incident.truth.culprit
    key = culprit.key if culprit else incident.trigger.rule.key
    gaps = [
        abs(version.at_s - incident.onset_s) / 60
        for version in _published(incident)
        if version.key == key and version != culprit
    ]
    return round(min(gaps), 1) if gaps else None
