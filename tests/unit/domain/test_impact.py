"""Who and what is behind an app, and how much care a rollback of it takes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import impact_told
from bot.domain.impact import NAMED, Around, Impact, Risk, facts_of, impact, impact_in, rank
from bot.domain.rate import recent_rate
from bot.domain.verdict.incident import Metric, Series
from tests.builders import NOON

SHOP, SEARCH = "shop", "kb-search"


def of(**changes: Any) -> Impact:
    return impact(Around(**{"app": SEARCH, "mode": "workflow", **changes}))


def told(found: Impact) -> list[str]:
    return [part["code"] for part in impact_told.parts(found)]


# -- who is behind it -------------------------------------------------------------------------


def test_an_app_of_which_nobody_says_anything_is_of_low_risk() -> None:
    found = of()

    assert found == Impact(Risk.LOW, "medium")
    assert told(found) == ["nobody"]


def test_whoever_depends_on_it_is_behind_it_also_through_others() -> None:
    depends_on = {"faq": [SHOP], SHOP: ["other", SEARCH], "alone": ["other"]}

    found = of(depends_on=depends_on)

    assert (found.callers, found.callers_count) == (("faq", SHOP), 2)
    assert told(found) == ["callers"]


def test_apps_that_depend_on_each_other_in_a_circle_are_each_named_once() -> None:
    found = of(depends_on={SHOP: [SEARCH], SEARCH: [SHOP], "faq": ["faq", SEARCH]})

    assert found.callers == ("faq", SHOP)


def test_the_apps_that_matter_most_are_named_first_and_only_so_many() -> None:
    depends_on = {f"app-{n:02}": [SEARCH] for n in range(NAMED + 5)}

    found = of(depends_on=depends_on, criticality={"app-24": "critical"})

    assert found.callers[:2] == ("app-24", "app-00")
    assert (len(found.callers), found.callers_count) == (NAMED, NAMED + 5)


def test_who_calls_it_as_a_tool_is_told_and_raises_nothing() -> None:
    found = of(pinned=["c", "b", "a", "b", SEARCH], criticality={"a": "critical"})

    assert (found.pinned, found.pinned_count) == (("a", "b", "c"), 3)
    assert found.risk is Risk.LOW
    assert told(found) == ["pinned"]


def test_what_could_not_be_looked_up_is_called_unknown() -> None:
    assert told(of(pinned=None)) == ["pinned_unknown"]


@pytest.mark.parametrize(
    ("mode", "keeps"),
    [("chat", True), ("agent-chat", True), ("advanced-chat", False), ("completion", False)],
)
def test_open_conversations_keep_their_version_only_in_chats_without_a_workflow(
    mode: str, keeps: bool
) -> None:
    assert of(mode=mode).keeps is keeps
    assert ("keeps" in told(of(mode=mode))) is keeps


# -- the risk ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criticality", "risk"),
    [("low", Risk.LOW), ("medium", Risk.LOW), ("high", Risk.MEDIUM), ("critical", Risk.HIGH)],
)
def test_the_risk_begins_with_how_much_the_app_matters(criticality: str, risk: Risk) -> None:
    found = of(criticality={SEARCH: criticality})

    assert (found.risk, found.criticality, found.heavier) == (risk, criticality, "")


def test_an_app_matters_as_much_as_what_depends_on_it() -> None:
    criticality = {SEARCH: "low", SHOP: "critical", "faq": "high"}

    found = of(depends_on={SHOP: [SEARCH], "faq": [SEARCH]}, criticality=criticality)

    assert (found.risk, found.criticality, found.heavier) == (Risk.HIGH, "critical", SHOP)


def test_an_app_that_matters_most_itself_is_not_called_after_another() -> None:
    found = of(depends_on={SHOP: [SEARCH]}, criticality={SEARCH: "high", SHOP: "high"})

    assert (found.criticality, found.heavier) == ("high", "")


@pytest.mark.parametrize("kind", ["code", "tool", "http"])
def test_a_change_that_acts_outside_is_one_step_up(kind: str) -> None:
    assert of(kinds={kind: 1, "prompt": 3}).risk is Risk.MEDIUM
    assert of(kinds={kind: 1}).acts == (kind,)


def test_other_changes_however_many_are_none() -> None:
    kinds = {"model": 3, "prompt": 40, "knowledge": 2, "condition": 9, "node": 5}

    assert of(kinds=kinds).risk is Risk.LOW


@pytest.mark.parametrize(("n", "risk"), [(2, Risk.LOW), (3, Risk.MEDIUM)])
def test_from_three_apps_on_it_is_one_step_up(n: int, risk: Risk) -> None:
    assert of(depends_on={f"app-{i}": [SEARCH] for i in range(n)}).risk is risk


@pytest.mark.parametrize(("n", "risk"), [(2, Risk.LOW), (3, Risk.MEDIUM)])
def test_from_three_lost_versions_on_it_is_one_step_up(n: int, risk: Risk) -> None:
    assert of(lost=n).risk is risk
    assert ("lost" in told(of(lost=n))) is (risk is Risk.MEDIUM)


def test_steps_add_up_to_critical_and_no_further() -> None:
    all_three: dict[str, Any] = {
        "depends_on": {f"app-{i}": [SEARCH] for i in range(3)},
        "kinds": {"code": 1},
        "lost": 9,
    }

    assert of(**all_three).risk is Risk.CRITICAL
    assert of(**all_three, criticality={SEARCH: "critical"}).risk is Risk.CRITICAL


def test_what_matters_little_needs_two_reasons_to_be_more_than_low() -> None:
    low = {SEARCH: "low"}

    assert of(criticality=low, kinds={"code": 1}).risk is Risk.LOW
    assert of(criticality=low, kinds={"code": 1}, lost=3).risk is Risk.MEDIUM


def test_the_rate_is_told_and_raises_nothing() -> None:
    assert of(rate=9000.0).risk is Risk.LOW
    assert told(of(rate=0.0)) == ["nobody", "rate"]


def test_risks_are_ranked_and_what_is_none_stands_below_them() -> None:
    assert [rank(risk) for risk in ("", "low", "medium", "high", "critical")] == [-1, 0, 1, 2, 3]


# -- as it is kept and told -------------------------------------------------------------------


def test_what_was_found_is_kept_as_json_and_read_back() -> None:
    everything = of(
        depends_on={SHOP: [SEARCH]},
        criticality={SHOP: "critical"},
        pinned=["faq"],
        rate=0.25,
        kinds={"tool": 1},
        lost=4,
    )
    for found in (everything, of(), of(pinned=None), of(mode="chat")):
        assert impact_in(json.loads(json.dumps(facts_of(found)))) == found


def test_where_nobody_looked_nothing_is_known() -> None:
    assert impact_in({}) is None


def test_a_dry_run_tells_it_on_one_line() -> None:
    found = of(
        depends_on={f"app-{n:02}": [SEARCH] for n in range(NAMED + 1)},
        criticality={"app-00": "critical"},
        pinned=["faq"],
        kinds={"code": 1, "http": 1},
        lost=3,
    )

    names = ", ".join(f"app-{n:02}" for n in range(NAMED))
    assert impact_told.line(found) == (
        f"Impact: critical risk; critical app (app-00 calls it); {NAMED + 1} depend on it: {names} "
        "and 1 more; 1 call it as a tool and stay as they are: faq; code, http changes; "
        "3 versions are lost"
    )
    assert impact_told.line(of(pinned=None)) == (
        "Impact: low risk; who calls it as a tool could not be looked up"
    )


# -- the rate ---------------------------------------------------------------------------------


def a_load(*values: float, metric: Metric = Metric.LOAD) -> Series:
    """Values a minute apart, the last one at noon."""
    return Series(metric, NOON - timedelta(minutes=len(values) - 1), timedelta(minutes=1), values)


def test_the_rate_is_the_median_of_the_last_ten_minutes() -> None:
    assert recent_rate([a_load(*[900.0] * 50, *[12.0] * 9, 4000.0, 1.0)], NOON) == 12.0


def test_what_was_not_measured_is_no_rate() -> None:
    nan = float("nan")

    assert recent_rate([], NOON) is None
    assert recent_rate([a_load(5.0, nan, nan)], NOON + timedelta(minutes=9)) is None
    assert recent_rate([a_load(5.0, metric=Metric.ERRORS)], NOON) is None
    assert recent_rate([a_load(5.0, nan, nan)], NOON) == 5.0
