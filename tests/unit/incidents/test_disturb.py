"""Each disturbance does what it says, and leaves the record and its truth alone."""

from __future__ import annotations

import copy
from collections import Counter

import pytest

from tests.incidents.disturb import DISTURBANCES
from tests.incidents.record import Record
from tests.unit.incidents.examples import example, seconds, trigger

SEED = 4


@pytest.fixture
def record() -> Record:
    return example("bad_change")


@pytest.mark.parametrize("name", DISTURBANCES)
def test_the_truth_and_the_given_record_stay_as_they_were(name: str, record: Record) -> None:
    before = copy.deepcopy(record)
    disturbed = DISTURBANCES[name](record, SEED)

    assert record == before
    assert disturbed != record
    assert disturbed["truth"] == record["truth"]
    assert disturbed["decision_at"] == record["decision_at"]


@pytest.mark.parametrize("name", DISTURBANCES)
def test_the_same_seed_disturbs_in_the_same_way(name: str, record: Record) -> None:
    assert DISTURBANCES[name](record, SEED) == DISTURBANCES[name](record, SEED)


@pytest.mark.parametrize(("name", "share"), [("missing 10 %", 0.1), ("missing 30 %", 0.3)])
def test_scrapes_get_lost_for_a_whole_deployment(name: str, share: float, record: Record) -> None:
    series = DISTURBANCES[name](record, SEED)["series"]
    lost = there = 0
    for key, values in record["series"].items():
        pairs = list(zip(values, series[key], strict=True))
        assert all(now in (None, was) for was, now in pairs)
        lost += sum(now is None for was, now in pairs if was is not None)
        there += sum(was is not None for was in values)

    assert lost / there == pytest.approx(share, abs=0.06)


def test_the_onset_lies_in_a_hole(record: Record) -> None:
    disturbed = DISTURBANCES["hole at the onset"](record, SEED)
    onset = seconds(record["truth"]["onset_at"]) - seconds(record["t0"])
    place = round(onset / record["step_s"])

    for name, values in disturbed["series"].items():
        assert values[place] is None
        changed = sum(was != now for was, now in zip(record["series"][name], values, strict=True))
        assert changed * record["step_s"] <= 1200 + record["step_s"]


@pytest.mark.parametrize("times", [2, 5])
def test_a_coarser_step_keeps_one_sample_of_many(times: int, record: Record) -> None:
    disturbed = DISTURBANCES[f"step x {times}"](record, SEED)

    assert disturbed["step_s"] == record["step_s"] * times
    assert all(v == record["series"][n][::times] for n, v in disturbed["series"].items())


@pytest.mark.parametrize("seconds_later", [60, 180, -60, -180])
def test_only_the_series_clock_is_shifted(seconds_later: int, record: Record) -> None:
    way = "later" if seconds_later > 0 else "earlier"
    disturbed = DISTURBANCES[f"series {abs(seconds_later)} s {way}"](record, SEED)

    assert seconds(disturbed["t0"]) == seconds(record["t0"]) + seconds_later
    assert disturbed["versions"] == record["versions"]
    assert disturbed["alerts"] == record["alerts"]
    for values in disturbed["series"].values():
        last = seconds(disturbed["t0"]) + (len(values) - 1) * record["step_s"]
        assert last <= seconds(record["decision_at"])


@pytest.mark.parametrize(
    ("name", "metric", "factor"),
    [("latency in ms", "latency_p95_s", 1000), ("errors in percent", "error_ratio", 100)],
)
def test_one_metric_is_in_another_unit(
    name: str, metric: str, factor: float, record: Record
) -> None:
    disturbed = DISTURBANCES[name](record, SEED)

    for key, values in record["series"].items():
        by = factor if key.endswith(metric) else 1
        there = [value * by for value in values if value is not None]
        now = [value for value in disturbed["series"][key] if value is not None]
        assert now == pytest.approx(there)


def test_fewer_series_are_those_that_the_name_says(record: Record) -> None:
    labels = trigger(record)["labels"]
    here = f"{labels['app']}/{labels['env']}"
    left = {name: set(DISTURBANCES[name](record, SEED)["series"]) for name in DISTURBANCES}
    metrics = ("request_rate", "error_ratio", "latency_p95_s")

    assert left["only the alerting app"] == {f"{here}/{metric}" for metric in metrics}
    assert left["only its errors"] == {f"{here}/error_ratio"}
    assert left["no load"] == {n for n in record["series"] if not n.endswith("/request_rate")}
    assert left["no Prometheus"] == set()


def test_unknown_things_only_come_on_top(record: Record) -> None:
    disturbed = DISTURBANCES["unknown things"](record, SEED)

    assert disturbed.keys() > record.keys()
    assert disturbed["series"].items() > record["series"].items()
    for was, now in zip(record["versions"], disturbed["versions"], strict=True):
        assert now["change_kinds"][: len(was["change_kinds"])] == was["change_kinds"]


def test_a_short_history_has_the_newest_versions(record: Record) -> None:
    disturbed = DISTURBANCES["newest 3 versions"](record, SEED)
    many = Counter((v["app"], v["env"]) for v in record["versions"])

    for key, count in Counter((v["app"], v["env"]) for v in disturbed["versions"]).items():
        assert count == min(3, many[key])
    newest = {(v["app"], v["env"]): v for v in record["versions"]}
    assert all(version in disturbed["versions"] for version in newest.values())
