"""What a rule measures: its expression without the comparison, or nothing where that is unsure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.prometheus.expression import Side, measured_side
from bot.adapters.prometheus.promql import NotPromQL, tokens


def side(expression: str) -> str | None:
    found = measured_side(expression, where={})
    return found.query if found else None


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("app_error_ratio > 0.05", "app_error_ratio"),
        ("app_error_ratio{app=~'a>1|b'} >= 5e-2", "app_error_ratio{app=~'a>1|b'}"),
        ("0.05 < app_error_ratio", "app_error_ratio"),
        ("(app_error_ratio > 0.05)", "app_error_ratio"),
        ("((a)) > (0.05)", "a"),
        ("a / b > 14.4 * (1 - 0.999)", "a / b"),
        ("a # > 1\n > 2", "a"),
        ("sum by (app) (rate(e[5m])) / sum by (app) (rate(r[5m])) > .1",
         "sum by (app) (rate(e[5m])) / sum by (app) (rate(r[5m]))"),
        ("a > 0.05 and on(app) sum(b) > 10", "a"),
        ("a > 0.05 unless maintenance == 1", "a"),
        ("(a > 1 and b > 2) and c > 3", "a"),
        ("count(x > 3) > 1", "count(x > 3)"),
        ("app_down == 1", "app_down"),
        ("time() - last_success > 3600", "time() - last_success"),
        ("max_over_time((a > 1)[5m:1m]) > 0", "max_over_time((a > 1)[5m:1m])"),
    ],
)  # fmt: skip
def test_the_side_that_is_compared_with_a_number_is_measured(
    expression: str, measured: str
) -> None:
    assert measured_side(expression, where={}) == Side(measured)


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("success_ratio < 0.95", "1 - (success_ratio)"),
        ("0.95 >= success_ratio", "1 - (success_ratio)"),
        ("up == 0", "1 - (up)"),
        ("up < 1", "1 - (up)"),
    ],
)
def test_of_what_fires_on_little_the_rest_to_one_is_measured(
    expression: str, measured: str
) -> None:
    assert measured_side(expression, where={}) == Side(measured, share=True)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "absent(up)",
        "1 > 2",
        "a > b",
        "a > bool 1",
        "a > 1 < 3",
        "a > 1 or b > 2",
        "(a > 1 or b > 2) and c > 3",
        "a < 100",
        "a < 0",
        "a < 2 * 0.2",
        "a != 3",
        "a == 7",
        "> 1",
        "a >",
        "a > 5m",
        "a > -",
        'a{b="c} > 1',
        "a) > 1",
        "and",
        "()",
        "() > 1",
    ],
)
def test_what_is_unsure_is_left_out(expression: str) -> None:
    assert measured_side(expression, where={}) is None


@pytest.mark.parametrize(
    ("expression", "measured"),
    [
        ("m > 1", 'm{app=~"a\\\\.b|"}'),
        ("m{} > 1", 'm{app=~"a\\\\.b|"}'),
        ('m{x="}"} > 1', 'm{x="}",app=~"a\\\\.b|"}'),
        ('m{x="y",} > 1', 'm{x="y",app=~"a\\\\.b|"}'),
        ("(m) > 1", 'm{app=~"a\\\\.b|"}'),
        ("rate(m[5m]) > 1", "rate(m[5m])"),
        ('m{x="y"} + n{x="y"} > 1', 'm{x="y"} + n{x="y"}'),
        ("m < 0.5", '1 - (m{app=~"a\\\\.b|"})'),
        ("m offset 5m > 1", "m offset 5m"),
    ],
)
def test_a_metric_that_stands_alone_is_asked_for_the_alerts_place(
    expression: str, measured: str
) -> None:
    found = measured_side(expression, where={"app": "a.b", "no label": "x"})

    assert found is not None
    assert found.query == measured


@given(st.text(alphabet="ab01.(){}[]\"'`<>=!~ $,#\n\\ord", max_size=40))
def test_any_text_is_measured_or_left_out(text: str) -> None:
    found = measured_side(text, where={"app": "x"})

    if found is not None:
        tokens(found.query)  # what is asked has its quotes and brackets closed


@pytest.mark.parametrize("query", ["(" * 2000 + ")" * 2000 + " > 1", "(" * 5000])
def test_many_brackets_are_no_failure(query: str) -> None:
    assert side(query) is None


def test_a_token_knows_its_place() -> None:
    assert [(t.text, t.at, t.depth) for t in tokens("a (b)")] == [
        ("a", 0, 0),
        ("(", 2, 0),
        ("b", 3, 1),
        (")", 4, 0),
    ]
    with pytest.raises(NotPromQL, match="not closed"):
        tokens("a (")
