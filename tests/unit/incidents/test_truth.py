"""The truth follows from the cause, and agrees with the versions of the record."""

from __future__ import annotations

import pytest

from tests.incidents.faults import Fault
from tests.incidents.kinds import KINDS
from tests.incidents.plans import Plan
from tests.incidents.publishing import Act, Event, play
from tests.incidents.truth import Truth, tell
from tests.incidents.world import Branch, Deployment, World
from tests.unit.incidents.examples import example, seconds, trigger, versions_of

BAD = "the fault"
KEY = "a/prod"


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_an_earlier_version_of_the_culprit_s_deployment(kind: str) -> None:
    record = example(kind)
    truth = record["truth"]
    if truth["target_version"] is None:
        assert (truth["app"], truth["env"], truth["acceptable_content_hash"]) == (None, None, None)
        return
    key, _, number = truth["target_version"].rpartition("@")
    culprit_key, _, culprit = truth["culprit_version"].rpartition("@")
    target = versions_of(record, key)[int(number) - 1]

    assert key == culprit_key == f"{truth['app']}/{truth['env']}"
    assert int(number) < int(culprit)
    assert target["content_hash"] == truth["acceptable_content_hash"]
    assert versions_of(record, key)[-1]["content_hash"] != target["content_hash"]


@pytest.mark.parametrize("kind", KINDS)
def test_trouble_begins_inside_the_record_and_before_its_alert(kind: str) -> None:
    record = example(kind)
    onset = seconds(record["truth"]["onset_at"])

    assert seconds(record["t0"]) <= onset < seconds(trigger(record)["startsAt"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_culprit_is_published_before_its_effect_but_for_the_clocks(kind: str) -> None:
    record = example(kind)
    named = record["truth"]["culprit_version"]
    if named is None:
        return
    key, _, number = named.rpartition("@")
    published = versions_of(record, key)[int(number) - 1]["published_at"]

    assert seconds(published) <= seconds(record["truth"]["onset_at"]) + 31


def test_the_newest_version_before_the_culprit_is_the_target() -> None:
    truth = _truth(_edit(-300), _edit(-200), _edit(-100, adds=BAD))

    assert (_number(truth.culprit), _number(truth.target)) == (3, 2)


def test_later_versions_that_still_contain_the_fault_change_nothing() -> None:
    truth = _truth(_edit(-300), _edit(-100, adds=BAD), _edit(50), _edit(60, act=Act.LAYOUT))

    assert (_number(truth.culprit), _number(truth.target)) == (2, 1)
    assert truth.reason == "why; 2 later version(s) still contain it"


def test_what_had_been_gone_back_from_is_no_target() -> None:
    truth = _truth(_edit(-500), _edit(-400), _edit(-300, act=Act.GO_BACK), _edit(-100, adds=BAD))

    assert (_number(truth.culprit), _number(truth.target)) == (4, 3)


def test_the_republication_is_the_culprit_and_not_what_it_republished() -> None:
    truth = _truth(
        _edit(-500),
        _edit(-400, adds=BAD),
        _edit(-300, act=Act.GO_BACK),
        _edit(-100, act=Act.REPUBLISH),
    )

    assert (_number(truth.culprit), _number(truth.target)) == (4, 3)


def test_a_fault_that_is_gone_again_has_no_target() -> None:
    truth = _truth(_edit(-300), _edit(-100, adds=BAD), _edit(50, act=Act.GO_BACK))

    assert _number(truth.culprit) == 2
    assert truth.target is None
    assert truth.reason == "why; it was already gone back from at the decision"


def test_a_first_version_has_nothing_to_go_back_to() -> None:
    truth = _truth(_edit(-100, adds=BAD))

    assert (_number(truth.culprit), truth.target) == (1, None)


def _edit(at_s: float, *, act: Act = Act.EDIT, adds: str | None = None) -> Event:
    return Event(at_s, KEY, act, f"content of {at_s}", ("prompt",), adds)


def _truth(*events: Event) -> Truth:
    """Return the truth about trouble that began at 0 and was decided about at 100 s."""
    alone = Deployment("a", "prod", 1.0, (Branch(1.0, 1.0, 0.5),), 0.01, 0.0, 30.0, 0.5, 1.0, 0.1)
    world = World({KEY: alone}, {}, {"a": ()}, {"a": ()})
    plan = Plan("why", world, (KEY,), fault=Fault(BAD, "a", ("prod",)))
    return tell(plan, play(events), KEY, 0.0, 100.0)


def _number(version: object) -> object:
    return getattr(version, "number", None)
