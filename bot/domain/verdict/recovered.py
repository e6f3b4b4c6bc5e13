"""Whether the metrics that showed a trouble came back to their usual after a rollback.

An alert that is resolved is not recovery: its rule may have lost its data, or Prometheus was
restarted. So the samples themselves are looked at, against the usual of before the trouble.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from bot.domain.recovery import Seen, Verdict, Why
from bot.domain.verdict.incident import Metric, Series
from bot.domain.verdict.line import FEWEST, Line, Numbers, levels, line, tolerance, usual
from bot.domain.verdict.turn import BEFORE_S

_Flags = npt.NDArray[np.bool_]

RUN = 3  # good samples in a row that are no chance
HELD_S = 120.0  # which they take at least, where samples are close together
_SHOWN = 2  # bad samples in a row by which a metric shows the trouble
_HOLE = 3  # steps without a sample, after which samples are not in a row
_STALE_S = 300.0  # after which the newest sample says nothing of now, if steps are not longer


class _Course(StrEnum):
    """How one metric stands."""

    QUIET = "quiet"  # it never showed the trouble, or nobody knows what is usual there
    OVER_BEFORE = "over_before"
    NO_DATA = "no_data"
    BAD = "bad"
    SETTLING = "settling"
    GOOD = "good"


@dataclass(frozen=True)
class _Judged:
    course: _Course
    since: float = 0.0  # seconds since 1970, of GOOD


def recovered(
    series: Iterable[Series],
    *,
    onset: datetime,
    acted_at: datetime,
    verified_at: datetime,
    now: datetime,
) -> Verdict | None:
    """Say whether the metrics that showed the trouble are back at their usual.

    None where no metric showed it: then they say nothing. All that showed it must be back, each
    for some samples in a row up to the newest; one of which nothing is measured any more counts
    for nothing beside another that is.

    Args:
        series: Measurements of the app that had the trouble; load is not looked at.
        onset: When the trouble began at the earliest.
        acted_at: When the rollback was started: what was over by then was not its doing.
        verified_at: When it was read back as live.
        now: Nothing later is looked at.
    """
    times = [at.timestamp() for at in (onset, acted_at, verified_at, now)]
    judged = [_judged(one, *times) for one in series if one.metric is not Metric.LOAD]
    courses = {one.course for one in judged} - {_Course.QUIET}
    if not courses:
        return None
    if _Course.BAD in courses:
        return Verdict(Seen.NOT_YET)
    if _Course.SETTLING in courses:
        return Verdict(Seen.SETTLING)
    if _Course.GOOD in courses:
        since = max(one.since for one in judged)
        return Verdict(Seen.RECOVERED, since=datetime.fromtimestamp(since, UTC))
    over = _Course.OVER_BEFORE in courses
    return Verdict(Seen.UNKNOWN, why=Why.OVER_BEFORE if over else Why.NO_DATA)


def over_by_itself(
    series: Iterable[Series],
    *,
    onset: datetime,
    fired_from: datetime,
    fired_until: datetime,
    now: datetime,
) -> datetime | None:
    """Since when the metrics of a trouble that nothing was done about are back; None: not seen.

    What showed it was bad up to the middle of the time in which alerts fired, and is good since:
    an alert ends some time after its metric is well again, so the end would come too late.
    """
    middle = fired_from + (fired_until - fired_from) / 2
    verdict = recovered(series, onset=onset, acted_at=fired_from, verified_at=middle, now=now)
    return verdict.since if verdict is not None and verdict.seen is Seen.RECOVERED else None


def _judged(series: Series, onset: float, acted: float, verified: float, now: float) -> _Judged:
    whole = line(series, until=now)
    above = _most(whole, onset)
    if above is None:
        return _Judged(_Course.QUIET)
    during = (whole.at >= onset) & (whole.at <= verified)
    if _longest(whole.y[during] > above) < _SHOWN:
        return _Judged(_Course.QUIET)
    before = whole.y[(whole.at >= onset) & (whole.at <= acted)]
    if len(before) > RUN and np.any(before > above) and np.all(before[-RUN:] <= above):
        return _Judged(_Course.OVER_BEFORE)
    after = whole.at > verified
    return _after(whole.at[after], whole.y[after] <= above, step=whole.step, now=now)


def _most(whole: Line, onset: float) -> float | None:
    """Up to which level *whole* is usual, by the time right before *onset*; None: unknown."""
    near = (whole.at < onset) & (whole.at >= onset - BEFORE_S)
    before = Line(
        whole.metric, whole.step, whole.at[near], whole.y[near], whole.noise, whole.spread
    )
    if len(before.y) < FEWEST:
        return None
    level = usual(before, levels(before))
    return level + tolerance(before, level)


def _after(at: Numbers, good: _Flags, *, step: float, now: float) -> _Judged:
    """How samples at *at*, each *good* or not, stand at *now*."""
    if not len(at) or now - at[-1] > max(_STALE_S, _HOLE * step):
        return _Judged(_Course.NO_DATA)
    if np.count_nonzero(good[-RUN:]) * 2 <= len(good[-RUN:]):
        return _Judged(_Course.BAD)
    first = _first_of_run(at, good, hole=_HOLE * step)
    if len(at) - first >= RUN and at[-1] - at[first] >= HELD_S:
        return _Judged(_Course.GOOD, float(at[first]))
    return _Judged(_Course.SETTLING)


def _first_of_run(at: Numbers, good: _Flags, *, hole: float) -> int:
    """Where the good samples begin that lead up to the newest without a bad one or a hole."""
    first = len(at)
    while first > 0 and good[first - 1]:
        if first < len(at) and at[first] - at[first - 1] > hole:
            break
        first -= 1
    return first


def _longest(flags: _Flags) -> int:
    """How many of *flags* in a row hold, at most."""
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
