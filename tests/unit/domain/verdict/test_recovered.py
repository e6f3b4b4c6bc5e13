"""After a rollback: a metric is back at its usual, is not yet, or says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from bot.domain.recovery import Seen, Verdict, Why
from bot.domain.verdict.incident import Metric, Series
from bot.domain.verdict.recovered import recovered
from tests.builders import NOON

USUAL, BAD = 0.01, 0.25
BEFORE = 120  # samples before the trouble began at noon
STEP = timedelta(minutes=1)
NOTHING = float("nan")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def a_series(
    after: Sequence[float],
    *,
    metric: Metric = Metric.ERRORS,
    usual: float = USUAL,
    noise: float = 0.1,
    before: int = BEFORE,
    step: timedelta = STEP,
    seed: int = 1,
) -> Series:
    """At *usual* until noon, and from noon on as *after* says, a sample a *step*."""
    dice = np.random.default_rng(seed)
    level = np.concatenate([np.full(before, usual), np.asarray(after, dtype=float)])
    values = level * np.exp(noise * dice.standard_normal(len(level)))
    return Series(metric, NOON - before * step, step, tuple(float(v) for v in values))


def seen(*series: Series, now: float, acted: float = 9.5, verified: float = 10) -> Verdict | None:
    return recovered(series, onset=NOON, acted_at=at(acted), verified_at=at(verified), now=at(now))


def trouble(*after: float, minutes: int = 11) -> list[float]:
    """Bad from noon on for so many *minutes*, then as *after* says."""
    return [BAD] * minutes + list(after)


def test_it_recovered_at_the_first_good_sample_of_those_that_last() -> None:
    series = a_series(trouble(0.2, 0.1, USUAL, USUAL, USUAL))

    assert seen(series, now=15) == Verdict(Seen.RECOVERED, since=at(13))


def test_a_few_samples_in_a_row_have_to_be_good() -> None:
    series = a_series(trouble(USUAL, USUAL))

    assert seen(series, now=12) == Verdict(Seen.SETTLING)


def test_samples_close_together_have_to_last_for_two_minutes() -> None:
    quarter = timedelta(seconds=15)
    good = a_series([BAD] * 44 + [USUAL] * 10, step=quarter, before=300)

    assert seen(good, now=12) == Verdict(Seen.SETTLING)
    assert seen(good, now=13.25) == Verdict(Seen.RECOVERED, since=at(11))


def test_what_is_as_bad_as_before_is_not_recovered() -> None:
    assert seen(a_series(trouble(*[BAD] * 9)), now=19) == Verdict(Seen.NOT_YET)


def test_what_got_better_but_not_usual_is_not_recovered() -> None:
    assert seen(a_series(trouble(*[0.1] * 9)), now=19) == Verdict(Seen.NOT_YET)


def test_what_flaps_back_is_not_recovered() -> None:
    series = a_series(trouble(USUAL, USUAL, BAD, BAD, USUAL, BAD, BAD))

    assert seen(series, now=17) == Verdict(Seen.NOT_YET)


def test_one_bad_sample_is_no_relapse_but_the_count_begins_anew() -> None:
    spike = a_series(trouble(USUAL, USUAL, USUAL, USUAL, 0.2))
    assert seen(spike, now=15) == Verdict(Seen.SETTLING)

    on = a_series(trouble(USUAL, 0.2, USUAL, USUAL, USUAL))
    assert seen(on, now=15) == Verdict(Seen.RECOVERED, since=at(13))


@pytest.mark.parametrize("seed", range(20))
def test_noise_neither_hides_a_recovery_nor_makes_one(seed: int) -> None:
    latency = {"metric": Metric.LATENCY, "usual": 1.0, "noise": 0.15, "seed": seed}
    good = a_series([4.0] * 11 + [1.0] * 14, **latency)  # type: ignore[arg-type]
    bad = a_series([4.0] * 25, **latency)  # type: ignore[arg-type]

    found = seen(good, now=24)
    assert found is not None
    assert found.seen in (Seen.RECOVERED, Seen.SETTLING)  # a spike among the last begins anew
    assert seen(bad, now=24) == Verdict(Seen.NOT_YET)


def test_a_hole_is_not_in_a_row() -> None:
    hole = [NOTHING] * 5

    assert seen(a_series(trouble(USUAL, *hole, USUAL, USUAL)), now=19) == Verdict(Seen.SETTLING)
    found = seen(a_series(trouble(USUAL, *hole, USUAL, USUAL, USUAL)), now=19)
    assert found == Verdict(Seen.RECOVERED, since=at(17))
    short = seen(a_series(trouble(USUAL, NOTHING, USUAL, USUAL)), now=14)
    assert short == Verdict(Seen.RECOVERED, since=at(11))


def test_when_nothing_is_measured_any_more_nobody_knows() -> None:
    silence = a_series(trouble(*[NOTHING] * 8))
    stale = a_series(trouble(USUAL, USUAL, USUAL, *[NOTHING] * 6))

    assert seen(silence, now=18) == Verdict(Seen.UNKNOWN, why=Why.NO_DATA)
    assert seen(stale, now=19.5) == Verdict(Seen.UNKNOWN, why=Why.NO_DATA)


def test_a_metric_that_never_showed_the_trouble_says_nothing() -> None:
    assert seen(a_series([USUAL] * 20), now=19) is None
    assert seen(a_series([USUAL] * 5 + [0.2] + [USUAL] * 14), now=19) is None
    assert seen(now=19) is None


def test_without_a_usual_nobody_can_say_that_it_is_back() -> None:
    assert seen(a_series(trouble(*[USUAL] * 5), before=5), now=15) is None


def test_load_is_neither_good_nor_bad() -> None:
    assert seen(a_series(trouble(*[USUAL] * 5), metric=Metric.LOAD), now=15) is None


def test_everything_that_showed_it_has_to_be_back_the_last_one_counts() -> None:
    errors = a_series(trouble(*[USUAL] * 9))
    slower = a_series([4.0] * 14 + [1.0] * 6, metric=Metric.LATENCY, usual=1.0)
    still = a_series([4.0] * 20, metric=Metric.LATENCY, usual=1.0)

    assert seen(errors, slower, now=19) == Verdict(Seen.RECOVERED, since=at(14))
    assert seen(errors, still, now=19) == Verdict(Seen.NOT_YET)


def test_a_metric_that_went_silent_does_not_hide_one_that_is_back() -> None:
    silent = a_series(trouble(*[NOTHING] * 9), metric=Metric.OTHER)

    found = seen(a_series(trouble(*[USUAL] * 9)), silent, now=19)

    assert found == Verdict(Seen.RECOVERED, since=at(11))


def test_what_was_over_before_the_rollback_began_is_not_its_doing() -> None:
    early = a_series([BAD] * 4 + [USUAL] * 16)

    assert seen(early, now=19) == Verdict(Seen.UNKNOWN, why=Why.OVER_BEFORE)


def test_what_only_showed_as_the_rollback_began_can_recover() -> None:
    late = a_series([USUAL] * 7 + [BAD] * 4 + [USUAL] * 9)

    assert seen(late, now=19, acted=6.5) == Verdict(Seen.RECOVERED, since=at(11))


def test_the_usual_is_that_of_the_time_right_before() -> None:
    """At night it was quicker; by day nobody was in trouble until noon."""
    values = [0.4] * 240 + [1.0] * 120 + [4.0] * 11 + [1.0] * 9
    day = Series(Metric.LATENCY, NOON - timedelta(minutes=360), STEP, tuple(values))

    assert seen(day, now=19) == Verdict(Seen.RECOVERED, since=at(11))


def test_nothing_later_than_now_is_looked_at() -> None:
    assert seen(a_series(trouble(BAD, *[USUAL] * 8)), now=11.5) == Verdict(Seen.NOT_YET)
