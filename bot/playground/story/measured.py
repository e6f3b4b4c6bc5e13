"""What a Prometheus has measured of the stories' apps: hours like any other, and then trouble."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from math import sin

from bot.playground.prometheus.server import Samples
from bot.playground.story.workflow import ENV

EVERY_S = 15  # between two scrapes
PAST, FUTURE = timedelta(hours=2), timedelta(hours=1)  # nobody plays longer than that
USUAL_ERRORS, USUAL_LATENCY, USUAL_LOAD = 0.01, 0.8, 20.0
BAD_ERRORS = 0.31
RULE = {
    "type": "alerting",
    "name": "HighErrorRate",
    "query": "errors > 0.05",
    "duration": 60,
}


def measured(apps: Mapping[str, datetime | None], *, now: datetime) -> list[Samples]:
    """Errors, latency and load of *apps*, each in trouble since its moment; None: never.

    What lies ahead is measured too, and is seen when its time has come.
    """
    return [samples for app, since in apps.items() for samples in _of(app, since, now)]


def calmed(samples: Iterable[Samples], *, now: datetime) -> list[Samples]:
    """Return *samples* with nothing wrong any more from *now* on."""
    return [_calm(one, now.timestamp()) for one in samples]


def _calm(one: Samples, now: float) -> Samples:
    if one.labels["__name__"] != "errors":
        return one
    ahead = {at: USUAL_ERRORS * (1 + _waver(int(at), "errors")) for at in one.values if at >= now}
    return Samples(one.labels, {**one.values, **ahead})


def _of(app: str, since: datetime | None, now: datetime) -> Iterator[Samples]:
    first = int((now - PAST).timestamp()) // EVERY_S * EVERY_S
    moments = [first + n * EVERY_S for n in range(int((PAST + FUTURE).total_seconds()) // EVERY_S)]
    began = since.timestamp() if since else float("inf")
    for name, usual, bad in (
        ("errors", USUAL_ERRORS, BAD_ERRORS),
        ("latency", USUAL_LATENCY, USUAL_LATENCY),
        ("load", USUAL_LOAD, USUAL_LOAD),
    ):
        labels = {"__name__": name, "app": app, "env": ENV}
        values = {
            float(at): (bad if at >= began else usual) * (1 + _waver(at, name)) for at in moments
        }
        yield Samples(labels, values)


def _waver(at: int, name: str) -> float:
    """A few per cent up and down, the same in every run."""
    return 0.04 * sin(at / 47.0 + len(name)) + 0.03 * sin(at / 13.0)
