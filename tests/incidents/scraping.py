"""What Prometheus makes of counters: scrapes that get lost, rates over windows, quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.incidents.arrays import Array, Flags, Seed, one_of, stream
from tests.incidents.counters import BUCKETS_S, Counters

METRICS = ("request_rate", "error_ratio", "latency_p95_s")
NONE = float("nan")


@dataclass(frozen=True)
class Scraping:
    """How it is measured; all in seconds. *down* is when Prometheus itself was not there."""

    scrape_s: float
    window_s: float
    eval_s: float
    step_s: float
    lost: float
    edges_s: tuple[float, ...]
    restarts_s: tuple[float, ...] = ()  # of the measured processes: counters begin at 0
    down: tuple[tuple[float, float], ...] = ()

    def grid(self, until_s: float) -> Array:
        """Return when rules are run and series are read, from 0 on."""
        return np.arange(0.0, until_s, self.eval_s)


def draw_scraping(dice: np.random.Generator, until_s: float) -> Scraping:
    """Draw a set-up as teams have it: a window holds at least two scrapes, mostly four."""
    scrape_s = float(dice.choice([15.0, 30.0, 60.0], p=[0.35, 0.4, 0.25]))
    windows = {15.0: (60.0, 120.0, 300.0), 30.0: (120.0, 300.0), 60.0: (180.0, 300.0)}
    eval_s = float(dice.choice([15.0, 30.0, 60.0], p=[0.3, 0.4, 0.3]))
    steps = [step for step in (15.0, 30.0, 60.0, 60.0, 60.0, 120.0) if step % eval_s == 0]
    restarts = (float(dice.uniform(0.2, 1.0) * until_s),) if dice.random() < 0.15 else ()
    return Scraping(
        scrape_s=scrape_s,
        window_s=one_of(dice, windows[scrape_s]),
        eval_s=eval_s,
        step_s=one_of(dice, steps),
        lost=float(dice.choice([0.0, 0.002, 0.01, 0.03])),
        edges_s=one_of(dice, BUCKETS_S),
        restarts_s=restarts,
    )


def measured(
    counters: Counters, how: Scraping, *, warm_s: float, until_s: float, seed: Seed
) -> dict[str, Array]:
    """Return the three metrics on the grid; NaN is no sample, or 0 requests to divide by."""
    at_s = counters.at_s - warm_s
    seen = _seen(at_s, how, seed)
    grid = how.grid(until_s)
    first = np.searchsorted(at_s[seen], grid - how.window_s, side="right")
    last = np.searchsorted(at_s[seen], grid, side="right") - 1
    enough = (last > first) & ~_while_down(grid, how)
    first, last = np.where(enough, first, 0), np.where(enough, last, 0)
    requests, failures, buckets = (
        _grown(values, at_s, how)[seen][last] - _grown(values, at_s, how)[seen][first]
        for values in (counters.requests, counters.failures, counters.buckets)
    )
    span = np.maximum(at_s[seen][last] - at_s[seen][first], 1e-9)
    asked = np.where(requests > 0, requests, NONE)
    rows = (requests / span, failures / asked, quantile(0.95, buckets, counters.edges_s))
    return {name: np.where(enough, row, NONE) for name, row in zip(METRICS, rows, strict=True)}


def _seen(at_s: Array, how: Scraping, seed: Seed) -> Flags:
    """Return which scrapes arrived: some get lost, as all do during a restart."""
    dice = stream(seed, "scrapes")
    seen = dice.random(len(at_s)) >= how.lost
    for restart in how.restarts_s:
        seen &= ~((at_s >= restart) & (at_s < restart + 20))
    return np.asarray(seen & ~_while_down(at_s, how))


def _while_down(at_s: Array, how: Scraping) -> Flags:
    away = np.zeros(len(at_s), dtype=np.bool_)
    for begins, ends in how.down:
        away |= (at_s >= begins) & (at_s < ends)
    return away


def _grown(values: Array, at_s: Array, how: Scraping) -> Array:
    """Return a counter as `increase` sees it, without what a restart wiped out unseen."""
    grown = values.copy()
    for restart in how.restarts_s:
        after = int(np.searchsorted(at_s, restart, side="right"))
        if not 0 < after < len(at_s):
            continue
        missed = (restart - at_s[after - 1]) / (at_s[after] - at_s[after - 1])
        grown[after:] -= np.floor((values[after] - values[after - 1]) * missed)
    return grown


def quantile(share: float, buckets: Array, edges_s: Array) -> Array:
    """Return `histogram_quantile`: a straight line inside the bucket, at most the last edge."""
    total = buckets[:, -1]
    rank = share * total
    place = np.argmax(buckets >= rank[:, None], axis=1)
    inside = np.minimum(place, len(edges_s) - 1)
    rows = np.arange(len(buckets))
    lower = np.where(inside > 0, buckets[rows, np.maximum(inside - 1, 0)], 0.0)
    low_s = np.where(inside > 0, edges_s[np.maximum(inside - 1, 0)], 0.0)
    width = np.maximum(buckets[rows, inside] - lower, 1e-9)
    value = low_s + (edges_s[inside] - low_s) * (rank - lower) / width
    value = np.where(place >= len(edges_s), edges_s[-1], value)
    return np.where(total > 0, value, NONE)
