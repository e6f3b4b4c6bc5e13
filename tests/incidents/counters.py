"""What a deployment counts: requests, failures and a latency histogram, as a scrape finds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tests.incidents.arrays import TICK_S, Array, Seed, stream
from tests.incidents.flow import Lane, Way, lognormal
from tests.incidents.world import Deployment

BUCKETS_S = (
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0),
    (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
_QUICK = 0.3  # what an immediate failure takes of a usual answer's time


@dataclass(frozen=True)
class Counters:
    """Counts since the start at each scrape; *buckets* are cumulative over their edges too."""

    at_s: Array
    requests: Array
    failures: Array
    buckets: Array
    edges_s: Array


@dataclass(frozen=True)
class _Chunks:
    """Ticks, in groups between one scrape and the next."""

    each: int
    phase: int

    def of(self, values: Array) -> Array:
        whole = (len(values) - self.phase) // self.each
        return values[self.phase : self.phase + whole * self.each].reshape(whole, self.each)


def count(
    each: Deployment, lane: Lane, outer: Array, *, scrape_s: float, edges: Array, seed: Seed
) -> Counters:
    """Draw what *lane* makes of its requests and add it up from scrape to scrape."""
    dice = stream(seed, "counts", each.key)
    chunks = _Chunks(round(scrape_s / TICK_S), int(dice.integers(round(scrape_s / TICK_S))))
    inner = stream(seed, "inner", each.key).poisson(np.maximum(lane.expected - outer, 0))
    came = outer.astype(np.int64) + inner
    failed = stream(seed, "failed", each.key).binomial(came, np.clip(lane.failing, 0, 1))
    requests = chunks.of(came.astype(np.float64)).sum(axis=1)
    shares = _shares(lane, chunks, edges, each.timeout_s)
    slots = stream(seed, "slots", each.key).multinomial(requests.astype(np.int64), shares)
    places = np.arange(1, len(requests) + 1, dtype=np.float64)
    at_s = (chunks.phase + places * chunks.each) * TICK_S
    return Counters(
        at_s,
        np.cumsum(requests, dtype=np.float64),
        np.cumsum(chunks.of(failed.astype(np.float64)).sum(axis=1), dtype=np.float64),
        np.cumsum(np.cumsum(slots, axis=1), axis=0).astype(np.float64),
        edges,
    )


def _shares(lane: Lane, chunks: _Chunks, edges: Array, timeout_s: float) -> NDArray[np.float64]:
    """Return per chunk the share of requests in each bucket, the last one without an upper edge."""
    weights = chunks.of(np.maximum(lane.expected, 1e-9))
    weights = weights / weights.sum(axis=1, keepdims=True)
    below = sum(
        (way.share * _below(way, chunks, weights, edges) for way in lane.ways),
        np.zeros((len(weights), len(edges))),
    )
    below[:, edges >= timeout_s] = 1.0
    below = np.clip(np.maximum.accumulate(below, axis=1), 0, 1)
    shares = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _below(way: Way, chunks: _Chunks, weights: Array, edges: Array) -> Array:
    mean_s, variance, quick = (
        (chunks.of(values) * weights).sum(axis=1)
        for values in (way.mean_s, way.variance, way.quick)
    )
    usual = _lognormal_below(mean_s, variance, edges)
    if not quick.any():
        return usual
    at_once = _lognormal_below(mean_s * _QUICK, variance * _QUICK**2, edges)
    return np.asarray((1 - quick[:, None]) * usual + quick[:, None] * at_once)


def _lognormal_below(mean_s: Array, variance: Array, edges: Array) -> Array:
    middle, spread = lognormal(mean_s, variance)
    return np.asarray(ndtr((np.log(edges)[None, :] - middle[:, None]) / spread[:, None]))
