"""A record is in the format of recorded incidents, and ends with the decision."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.incidents.kinds import KINDS
from tests.incidents.record import Record
from tests.unit.incidents.examples import example, seconds, trigger

FIELDS = {
    "id", "kind", "t0", "step_s", "decision_at", "apps", "versions", "alerts", "series", "truth",
}  # fmt: skip
TRUTH = {
    "culprit_version", "target_version", "app", "env", "acceptable_content_hash", "onset_at",
    "nearest_innocent_change_min", "reason",
}  # fmt: skip
VERSION = {
    "app", "env", "version", "published_at", "how", "restored_from", "content_hash",
    "change_kinds", "content_ref",
}  # fmt: skip
ALERT = {
    "status", "labels", "annotations", "startsAt", "endsAt", "receivedAt", "fingerprint", "trigger",
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    return example(request.param)


each_kind = pytest.mark.parametrize("record", list(KINDS), indirect=True)


@each_kind
def test_it_has_the_known_fields_and_no_others(record: Record) -> None:
    assert record.keys() == FIELDS
    assert record["truth"].keys() == TRUTH
    assert all(version.keys() == VERSION for version in record["versions"])
    assert all(alert.keys() == ALERT for alert in record["alerts"])
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@each_kind
def test_nothing_is_later_than_the_decision(record: Record) -> None:
    decided = seconds(record["decision_at"])

    assert all(seconds(time) <= decided for time in _times(record))
    for values in record["series"].values():
        last = seconds(record["t0"]) + (len(values) - 1) * record["step_s"]
        assert decided - record["step_s"] < last <= decided


@each_kind
def test_versions_are_sorted_and_numbered_per_deployment(record: Record) -> None:
    versions = record["versions"]

    assert versions == sorted(versions, key=lambda v: v["published_at"])
    by_key = sorted(versions, key=lambda v: (v["app"], v["env"]))
    for _, group in groupby(by_key, key=lambda v: (v["app"], v["env"])):
        numbers = [version["version"] for version in group]
        assert numbers == list(range(1, 1 + len(numbers)))


@each_kind
def test_a_restored_version_has_the_content_of_an_earlier_one(record: Record) -> None:
    content = {(v["app"], v["env"], v["version"]): v["content_hash"] for v in record["versions"]}

    for version in record["versions"]:
        restored = version["restored_from"]
        assert (restored is not None) == (version["how"] != "publish")
        assert (version["change_kinds"] == []) == (restored is not None)
        if restored is not None:
            assert restored < version["version"]
            here = version["content_hash"]
            assert content[version["app"], version["env"], restored] == here


@each_kind
def test_series_are_of_one_length_for_every_deployment(record: Record) -> None:
    keys = {f"{each['app']}/{env}" for each in record["apps"] for env in each["envs"]}
    metrics = ("request_rate", "error_ratio", "latency_p95_s")

    assert record["series"].keys() == {f"{key}/{metric}" for key in keys for metric in metrics}
    (length,) = {len(values) for values in record["series"].values()}
    assert 3 * 3600 <= length * record["step_s"] <= 7 * 3600 + 2 * record["step_s"]
    assert record["step_s"] in {15, 30, 60, 120}


@each_kind
def test_values_are_possible(record: Record) -> None:
    for name, values in record["series"].items():
        there = [value for value in values if value is not None]
        assert all(value >= 0 for value in there)
        if name.endswith("/error_ratio"):
            assert all(value <= 1 for value in there)


@each_kind
def test_one_alert_that_fires_is_the_reason_to_decide(record: Record) -> None:
    alert = trigger(record)

    assert alert["status"] == "firing"
    assert alert["endsAt"] is None
    assert alert["startsAt"] < alert["receivedAt"] == record["decision_at"]
    assert record["alerts"] == sorted(record["alerts"], key=lambda a: a["startsAt"])


@each_kind
def test_an_alert_has_ended_exactly_if_it_is_resolved(record: Record) -> None:
    for alert in record["alerts"]:
        assert (alert["status"] == "resolved") == (alert["endsAt"] is not None)
        if alert["endsAt"] is not None:
            assert alert["startsAt"] < alert["endsAt"]
    firing = [alert["fingerprint"] for alert in record["alerts"] if alert["status"] == "firing"]
    assert max(Counter(firing).values()) == 1


def _times(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _times(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _times(inner)
    elif isinstance(value, str) and TIME.fullmatch(value):
        yield value
