"""What Prometheus answered, as values; what is of another form is said so."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.prometheus import wire
from bot.adapters.prometheus.wire import MOST_POINTS, MOST_SERIES, Window
from bot.errors import AnswerUnreadable
from tests.adapters.prometheus.recordings import body, window
from tests.builders import NOON

MINUTE = timedelta(minutes=1)
FIVE = Window(NOON, MINUTE, 5)


def a_matrix(*samples: Any, **labels: str) -> bytes:
    result = [{"metric": labels, "values": list(samples)}]
    return json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": result}}
    ).encode()


# -- The moments of a query ---------------------------------------------------------------------


def test_a_window_has_full_multiples_of_its_step() -> None:
    since = NOON + timedelta(seconds=7)

    found = Window.between(since, since + 5 * MINUTE, MINUTE)

    assert found == Window(NOON + MINUTE, MINUTE, 5)
    assert found.ends == NOON + 5 * MINUTE


def test_both_ends_belong_to_a_window() -> None:
    assert Window.between(NOON, NOON + 4 * MINUTE, MINUTE) == FIVE


@pytest.mark.parametrize("until", [NOON - MINUTE, NOON + timedelta(seconds=-1)])
def test_a_window_that_ends_before_it_begins_is_empty(until: datetime) -> None:
    assert Window.between(NOON, until, MINUTE).count == 0


def test_a_step_that_makes_too_many_points_is_doubled() -> None:
    found = Window.between(NOON - timedelta(days=30), NOON, MINUTE)

    assert found.step == 4 * MINUTE
    assert found.count <= MOST_POINTS


@given(
    st.integers(0, 4 * 10**9),
    st.integers(0, 400 * 86400),
    st.integers(1, 300),
)
def test_no_window_asks_for_more_than_prometheus_gives(start: int, length: int, step: int) -> None:
    since = datetime.fromtimestamp(start, UTC)
    until = since + timedelta(seconds=length)

    found = Window.between(since, until, timedelta(seconds=step))

    assert found.count <= MOST_POINTS
    assert found.count == 0 or since <= found.began <= found.ends <= until


# -- Series -------------------------------------------------------------------------------------


def test_a_recorded_answer_has_each_sample_at_its_moment() -> None:
    asked = window("query_range_error_ratio")

    tracks = wire.matrix(body("query_range_error_ratio"), asked)

    first = tracks[0]
    assert first.labels["service"] == "checkout"
    assert len(first.values) == asked.count == 49
    assert all(math.isnan(value) for value in first.values[:12])  # it was not scraped before
    assert first.values[12:20] == (0.22,) * 7 + (0.01,)


def test_a_division_by_nothing_was_not_measured() -> None:
    tracks = wire.matrix(body("query_range_division_nan"), window("query_range_division_nan"))

    assert tracks
    assert all(track.empty for track in tracks)


def test_no_series_is_an_answer() -> None:
    assert wire.matrix(body("query_range_empty"), window("query_range_empty")) == []


def test_an_infinite_value_was_not_measured() -> None:
    at = NOON.timestamp()
    samples = [[at, "+Inf"], [at + 60, "-Inf"], [at + 120, "1e-3"], [at + 180.4, "NaN"]]

    (track,) = wire.matrix(a_matrix(*samples), FIVE)

    assert [value for value in track.values if not math.isnan(value)] == [0.001]
    assert track.values[2] == 0.001


def test_samples_outside_of_what_was_asked_do_not_count() -> None:
    at = NOON.timestamp()
    samples = [[at - 60, "1"], [at + 300, "1"], [1e300, "1"], [at + 59.9, "2"]]

    (track,) = wire.matrix(a_matrix(*samples), FIVE)

    assert track.values[1] == 2
    assert sum(not math.isnan(value) for value in track.values) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"data": {"resultType": "vector", "result": []}}',
        b'{"data": {"resultType": "matrix", "result": {}}}',
        b'{"data": {"resultType": "matrix", "result": [7]}}',
        b'{"data": {"resultType": "matrix", "result": [{"values": []}]}}',
        b'{"data": {"resultType": "matrix", "result": [{"metric": {"a": 1}, "values": []}]}}',
        b'{"data": {"resultType": "matrix", "result": [{"metric": {}, "values": {}}]}}',
        a_matrix([1]),
        a_matrix([1, 2]),
        a_matrix(["1", "2"]),
        a_matrix([True, "2"]),
        a_matrix([1, "x"]),
        a_matrix([10**400, "1"]),
    ],
)
def test_what_is_no_matrix_is_said_so(answer: bytes) -> None:
    with pytest.raises(AnswerUnreadable, match="Prometheus: "):
        wire.matrix(answer, FIVE)


def test_far_too_many_series_are_not_looked_at() -> None:
    many: list[object] = [{"metric": {}, "values": []}] * (MOST_SERIES + 1)
    answer = json.dumps({"data": {"resultType": "matrix", "result": many}}).encode()

    with pytest.raises(AnswerUnreadable, match="5001 series"):
        wire.matrix(answer, FIVE)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "resultType", "result", "metric", "values", "groups", "rules"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_is_read_or_said_to_be_unreadable(value: object) -> None:
    answer = json.dumps(value).encode()
    for read in (lambda: wire.matrix(answer, FIVE), lambda: wire.rules(answer)):
        try:
            read()
        except AnswerUnreadable:
            continue
    wire.refusal(answer)
    wire.failed(answer)


# -- Rules --------------------------------------------------------------------------------------


def test_recorded_rules_have_their_expression_and_their_wait() -> None:
    found = {rule.name: rule for rule in wire.rules(body("rules"))}

    assert list(found) == ["HighErrorRate", "HighLatencyP95", "AppDown"]
    assert found["HighErrorRate"].query == "app_error_ratio > 0.05"
    assert found["HighErrorRate"].waits == timedelta(seconds=3)
    assert found["HighErrorRate"].labels == {"severity": "critical", "team": "ai-platform"}


def test_a_rule_that_cannot_be_read_does_not_take_the_others_along() -> None:
    good = {"type": "alerting", "name": "A", "query": "a > 1", "duration": 0.5}
    bad = [
        7,
        {**good, "type": "recording"},
        {**good, "name": 7},
        {**good, "duration": -1},
        {**good, "duration": "5m"},
        {**good, "duration": 1e300},
        {**good, "duration": math.nan},
        {**good, "labels": []},
        {**good, "alerts": [{"labels": 7}]},
    ]
    groups: list[object] = [{"rules": [*bad, good]}, {"rules": None}, None]

    found = wire.rules(json.dumps({"data": {"groups": groups}}).encode())

    assert [(rule.name, rule.waits) for rule in found] == [("A", timedelta(seconds=0.5))]


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"data": {}}', b'{"data": {"groups": 1}}'])
def test_what_holds_no_rules_is_said_so(answer: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        wire.rules(answer)


# -- Errors -------------------------------------------------------------------------------------


def test_a_refusal_is_told_in_prometheuss_own_words() -> None:
    kind, said = wire.refusal(body("query_range_bad_expr"))

    assert (kind, said) == ("bad_data", "1:25: parse error: missing unit character in duration")
    assert wire.failed(body("query_range_bad_expr"))
    assert not wire.failed(body("query_range_empty"))


def test_words_of_a_refusal_are_short_and_visible() -> None:
    kind, said = wire.refusal(json.dumps({"errorType": "x" * 99, "error": "a\n" * 999}).encode())

    assert len(kind) == 40
    assert len(said) == 200
    assert said.isprintable()
    assert wire.refusal(b"<html>") == wire.refusal(b'{"error": 7}') == ("", "")
