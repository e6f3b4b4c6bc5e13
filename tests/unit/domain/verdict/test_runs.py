"""What the runs of each version say about a suspect, and what they must not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import exp

import pytest
from scipy.integrate import dblquad
from scipy.special import beta

from bot.domain.verdict import runs
from bot.domain.verdict.decide import Decision
from bot.domain.verdict.incident import App, Change, Incident, Metric, Runs, Series
from bot.domain.verdict.reasons import reasons
from bot.domain.verdict.runs import MOST, Split, higher
from bot.domain.words import EvidenceCode
from store.records import AppEnv
from tests.builders import PROD
from tests.unit.domain.verdict.stage import SEARCH, Stage, a_change, errors_jump, measured

Measured = dict[AppEnv, Sequence[Series]]

FINE, BROKEN = Runs(198, 2), Runs(9, 31)
EXTREMES = (Runs(198, 2), Runs(0, 100_000), Runs(100_000, 0), Runs(7, 3))
CALM, FEW = Runs(40, 0), Runs(0, 4)
ERRORS: Measured = {PROD: [errors_jump(minutes=30)]}


@pytest.fixture
def stage() -> Stage:
    """Two versions, of which one is old; nothing is measured."""
    return Stage(changes=[a_change(1, 3000), a_change(2, 35)])


def chance(decision: Decision, number: int, where: AppEnv = PROD) -> float:
    found = [one for one in decision.explanations if one.suspect is not None]
    return sum(
        one.chance
        for one in found
        if one.suspect is not None
        and (one.suspect.change.where, one.suspect.change.number) == (where, number)
    )


def odds(decision: Decision, number: int, where: AppEnv = PROD) -> float:
    share = chance(decision, number, where)
    return share / (1 - share)


def counted(stage: Stage, counts: dict[int, Runs]) -> Incident:
    return replace(stage.incident, runs={PROD: counts})


# -- what they say --------------------------------------------------------------------------------


@pytest.mark.parametrize(("series", "times"), [({}, 2), (ERRORS, 1.2)])
def test_a_suspect_whose_runs_fail_more_often_than_before_is_likelier(
    stage: Stage, series: Measured, times: float
) -> None:
    without = odds(stage.decide(series=series), 2)
    said = odds(stage.decide(series=series, runs={PROD: {1: FINE, 2: BROKEN}}), 2)
    assert said > times * without


@pytest.mark.parametrize("series", [{}, ERRORS])
def test_a_suspect_whose_runs_fail_no_more_often_than_before_is_less_likely(
    stage: Stage, series: Measured
) -> None:
    without = odds(stage.decide(series=series), 2)
    assert odds(stage.decide(series=series, runs={PROD: {1: FINE, 2: CALM}}), 2) < 0.7 * without


def test_where_errors_are_measured_runs_that_do_not_fail_say_more(stage: Stage) -> None:
    counts = {PROD: {1: FINE, 2: CALM}}
    told = {
        name: odds(stage.decide(series=series, runs=counts), 2)
        / odds(stage.decide(series=series), 2)
        for name, series in (("errors", ERRORS), ("nothing", {}))
    }

    assert told["errors"] < 0.3 < told["nothing"]


def test_of_two_suspects_the_one_from_which_on_runs_fail_is_likelier() -> None:
    stage = Stage(changes=[a_change(1, 3000), a_change(2, 60), a_change(3, 35)])
    counts = {1: FINE, 2: Runs(150, 1), 3: BROKEN}

    said = stage.decide(runs={PROD: counts})

    without = stage.decide()
    ahead = chance(without, 3) / chance(without, 2)
    assert chance(said, 3) / chance(said, 2) > 2.5 * ahead


def test_a_fault_stays_that_of_the_first_version_whose_runs_fail() -> None:
    stage = Stage(changes=[a_change(1, 3000), a_change(2, 60), a_change(3, 35)])

    said = stage.decide(runs={PROD: {1: FINE, 2: BROKEN, 3: BROKEN}})

    without = stage.decide()
    ahead = chance(without, 2) / chance(without, 3)
    assert chance(said, 2) / chance(said, 3) > 2.5 * ahead


def test_an_app_behind_is_judged_by_its_own_runs() -> None:
    stage = Stage(
        changes=[a_change(1, 3000), a_change(1, 4000, where=SEARCH), a_change(2, 35, where=SEARCH)],
        apps={PROD.app: App(PROD.app, (SEARCH.app,)), SEARCH.app: App(SEARCH.app)},
    )
    without = odds(stage.decide(), 2, SEARCH)

    assert odds(stage.decide(runs={SEARCH: {1: FINE, 2: BROKEN}}), 2, SEARCH) > 2 * without
    assert odds(stage.decide(runs={SEARCH: {1: FINE, 2: CALM}}), 2, SEARCH) < without
    same = odds(stage.decide(runs={PROD: {1: BROKEN}}), 2, SEARCH)
    assert same == pytest.approx(without)


def test_what_went_back_to_an_older_content_counts_as_that() -> None:
    back = Change(PROD, 3, a_change(3, 2).at, a_change(1, 0).content)
    stage = Stage(changes=[a_change(1, 3000), a_change(2, 35), back])
    counts = {1: Runs(3, 0), 2: BROKEN, 3: Runs(20, 0)}

    found = runs.split(counted(stage, counts), stage.changes[1])

    assert found == Split(BROKEN, Runs(23, 0), later=False)


# -- what they must not say -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {1: FINE},
        {2: BROKEN},
        {1: FINE, 2: FEW},
        {1: FEW, 2: BROKEN},
        {1: FINE, 9: BROKEN},
    ],
)
def test_few_runs_on_either_side_say_nothing(stage: Stage, counts: dict[int, Runs]) -> None:
    without, said = stage.decide(), stage.decide(runs={PROD: counts})

    assert said.confidence == without.confidence
    assert EvidenceCode.RUNS not in [one.code for one in reasons(counted(stage, counts), said)]


def test_runs_say_nothing_about_what_is_only_slow(stage: Stage) -> None:
    slow = {PROD: [measured(Metric.LATENCY, 0.5, {30: 4.0})]}

    for counts in ({1: FINE, 2: CALM}, {1: FINE, 2: BROKEN}):
        said = stage.decide(series=slow, runs={PROD: counts})
        assert said.confidence == pytest.approx(stage.decide(series=slow).confidence)


@pytest.mark.parametrize("series", [{}, ERRORS])
@pytest.mark.parametrize(("before", "after"), tuple(product(EXTREMES, repeat=2)))
def test_runs_never_say_more_than_five_to_one(
    stage: Stage, before: Runs, after: Runs, series: Measured
) -> None:
    without = odds(stage.decide(series=series), 2)
    said = odds(stage.decide(series=series, runs={PROD: {1: before, 2: after}}), 2)

    assert without / MOST * 0.999 <= said <= without * MOST * 1.001


def test_the_chances_still_sum_to_one(stage: Stage) -> None:
    said = stage.decide(runs={PROD: {1: FINE, 2: BROKEN}})

    assert sum(one.chance for one in said.explanations) == pytest.approx(1.0)


# -- the factor itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "before"),
    [
        (Runs(9, 3), Runs(20, 1)),
        (Runs(9, 0), Runs(20, 1)),
        (Runs(5, 5), Runs(5, 5)),
        (Runs(0, 6), Runs(6, 0)),
    ],
)
def test_the_factor_is_that_of_the_integrals(after: Runs, before: Runs) -> None:
    """Twice the integral over the triangle where the share after is the higher one."""
    a, b = after, before

    def at(q: float, p: float) -> float:
        return float(p**a.failed * (1 - p) ** a.ok * q**b.failed * (1 - q) ** b.ok)

    apart, _ = dblquad(at, 0, 1, 0, lambda p: p)
    both = after + before
    expected = 2 * apart / beta(both.failed + 1, both.ok + 1)

    found = exp(higher(Split(after, before, later=False)))

    assert found == pytest.approx(expected, rel=1e-6)


def test_more_failures_after_speak_more_for_it_and_fewer_against() -> None:
    factors = [higher(Split(Runs(40 - n, n), Runs(190, 10), later=False)) for n in range(41)]

    assert factors == sorted(factors)
    assert factors[0] < 0 < factors[-1]


def test_more_runs_of_the_same_share_say_more() -> None:
    few, many = (higher(Split(Runs(7 * n, 3 * n), Runs(10 * n, 0), later=False)) for n in (1, 10))

    assert 0 < few < many


# -- how it is said -------------------------------------------------------------------------------


def test_the_runs_of_the_suspect_are_a_reason_with_their_counts() -> None:
    stage = Stage(changes=[a_change(1, 3000), a_change(2, 7)])
    counts = {1: FINE, 2: BROKEN}
    said = stage.decide(runs={PROD: counts})

    told = [one for one in reasons(counted(stage, counts), said) if one.code is EvidenceCode.RUNS]

    assert [dict(one.facts) for one in told] == [
        {
            "version": f"{PROD} v2",
            "later": False,
            "failed": 31,
            "all": 40,
            "before_failed": 2,
            "before_all": 200,
        }
    ]
