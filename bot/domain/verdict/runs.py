"""What the runs of each version say about who did it.

A change that breaks something lets runs fail from its version on, and not before. How much that
speaks for it is a Bayes factor (Jeffreys 1961, "Theory of Probability", chapter 5): how likely
the counts are where the share that fails is higher from it on, over how likely they are where
one share holds for all. Shares are uniform before anything is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import exp, log

import numpy as np
from scipy.special import betaln, logsumexp

from bot.domain.verdict.incident import Change, Incident, Metric, Runs
from bot.domain.verdict.onset import Onset
from store.records import AppEnv

MOST = 5.0  # to one for a suspect: what begins after a change for another reason looks the same
SEEN = 1.5  # where a metric shows when it began: that tells the same failures from their times
FEWEST = 5  # runs on either side, below which they say nothing
SHOWS = 0.8  # chance that a fault which makes errors lets runs fail; the others say nothing of it
MAY_SHOW = 0.5  # the same where no metric of errors shows what the trouble is

Key = tuple[AppEnv, int]  # an app's version by number


@dataclass(frozen=True)
class Split:
    """The runs from a change on, and those of what answered before it.

    `later` says that versions after the change are among them.
    """

    after: Runs
    before: Runs
    later: bool


def split(incident: Incident, change: Change) -> Split | None:
    """Return the runs of *incident* around *change*; None where they are too few to say anything.

    What went back to a content from before the change counts as before it.
    """
    counts = incident.runs.get(change.where, {})
    if not counts:
        return None
    own = counts.get(change.number, Runs())
    mine = [c for c in incident.changes if c.where == change.where and c.number in counts]
    older = [c for c in incident.changes if c.where == change.where and _key(c) < _key(change)]
    old = {c.content for c in older} - {change.content}
    newer = [c for c in mine if _key(c) > _key(change)]
    later = _sum(counts[c.number] for c in newer if c.content not in old)
    back = _sum(counts[c.number] for c in newer if c.content in old)
    before = _sum(counts[c.number] for c in mine if _key(c) < _key(change)) + back
    after = own + later
    if min(after.all, before.all) < FEWEST:
        return None
    return Split(after, before, later.all > 0)


def ratios(incident: Incident, changes: Iterable[Change], onset: Onset) -> Mapping[Key, float]:
    """How much likelier the runs are where it was each of *changes* than where it was none.

    At most `MOST`, and at least what a fault leaves that shows in no run. Where several changes
    of one app explain its runs better than that, the best one has it and the others have less,
    but never less than 1: their runs do fail more often than before.
    """
    shows = _shows(onset)
    most = log(SEEN if onset.turn is not None else MOST)
    found: dict[Key, float] = {}
    by_app = sorted(changes, key=lambda change: change.where)
    for where, mine in groupby(by_app, key=lambda change: change.where):
        logs = {c.number: higher(s) for c in mine if (s := split(incident, c)) is not None}
        above = max(0.0, max(logs.values(), default=0.0) - most)
        for number, one in logs.items():
            bounded = max(one - above, 0.0) if one > 0 else one
            found[where, number] = shows * exp(bounded) + 1 - shows
    return found


def higher(seen: Split) -> float:
    """The logarithm of the Bayes factor of a higher share after than before, against one share."""
    after, before = seen.after, seen.before
    a1, b1 = after.failed + 1, after.ok + 1
    a0, b0 = before.failed + 1, before.ok + 1
    apart = betaln(a1, b1) + betaln(a0, b0) + log(2) + _log_greater((a1, b1), (a0, b0))
    return float(apart - betaln(a1 + a0 - 1, b1 + b0 - 1))


def _log_greater(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The logarithm of the chance that a draw of Beta(*one*) is above one of Beta(*other*).

    A finite sum for whole numbers (Miller 2015, "Formulas for Bayesian A/B Testing").
    """
    (a1, b1), (a0, b0) = one, other
    i = np.arange(a1)
    terms = betaln(a0 + i, b1 + b0) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a0, b0)
    return float(logsumexp(terms))


def _shows(onset: Onset) -> float:
    """The chance that what makes this trouble lets runs fail; slow runs are no failed ones."""
    metric = onset.turn.line.metric if onset.turn is not None else None
    if metric is Metric.ERRORS:
        return SHOWS
    return 0.0 if metric is Metric.LATENCY else MAY_SHOW


def _sum(counts: Iterable[Runs]) -> Runs:
    return sum(counts, Runs())


def _key(change: Change) -> tuple[datetime, int]:
    return change.at, change.number
