"""`$app` and `$env` are put into a query so that no name can leave its quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.prometheus.promql import Kind, literally, tokens
from bot.adapters.prometheus.templates import (
    ERRORS,
    LATENCY,
    LOAD,
    filled,
    names_the_app,
    problem,
)


@pytest.mark.parametrize("template", [ERRORS, LATENCY, LOAD])
def test_the_defaults_are_sound_and_ask_of_one_app(template: str) -> None:
    assert problem(template) == ""
    assert names_the_app(template)


def test_both_names_are_put_in_and_the_rest_stays() -> None:
    template = """sum(rate(x{app="$app", env='$env', code=~"5.."}[5m])) # of "$app\n/ 2"""

    query = filled(template, app="triage", env="prod")

    assert query == template.replace('app="$app"', 'app="triage"').replace("'$env'", "'prod'")


def test_a_name_in_a_pattern_is_a_literal_part_of_it() -> None:
    query = filled('up{job=~"$app-.*", env="$env"}', app="a.b+", env="p.d")

    assert query == r'up{job=~"a\\.b\\+-.*", env="p.d"}'


def test_what_is_promqls_own_stays() -> None:
    template = 'label_replace(up{app="$app"}, "a", "$1-${name}", "b", "^(.*)$")'

    assert problem(template) == ""
    assert filled(template, app="x", env="y") == template.replace("$app", "x")


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ('a"} or up{x="', r"a\x22} or up{x=\x22"),
        ("a'b", r"a\x27b"),
        ("a\\", r"a\\"),
        ("a\nb\x00", r"a\x0ab\x00"),
        ("客服-bot", "客服-bot"),
        ("$env", "$env"),
    ],
)
def test_a_hostile_name_stays_inside_its_quotes(name: str, inside: str) -> None:
    assert filled('up{app="$app"}', app=name, env="prod") == f'up{{app="{inside}"}}'


@given(app=st.text(), quote=st.sampled_from("\"'"))
def test_any_name_leaves_the_query_one_string(app: str, quote: str) -> None:
    for operator in ("=", "=~"):
        query = filled(f"up{{app{operator}{quote}$app{quote}}}", app=app, env="")

        kinds = [token.kind for token in tokens(query)]
        assert kinds == [
            *(Kind.WORD, Kind.OPEN, Kind.WORD, Kind.OPERATOR, Kind.STRING, Kind.CLOSE),
        ]


def test_every_special_character_of_a_pattern_is_escaped() -> None:
    assert literally("a.+*?()|[]{}^$\\") == r"a\.\+\*\?\(\)\|\[\]\{\}\^\$\\"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("", "must not be empty"),
        (" # nothing", "must not be empty"),
        ('up{app="$ap"}', "there is no $ap; known are $app and $env"),
        ('rate(up{app="$app"}[$__interval])', "a placeholder stands in double quotes"),
        ("up{app=$app}", "a placeholder stands in double quotes"),
        ("up{app=`$app`}", "a placeholder stands in double quotes"),
        ('up{app="$app"', "has a { that is not closed"),
        ('up{app="$app}', 'has a " that is not closed'),
        ('sum(up{app="$app"}))', "has a ) that nothing opens"),
        ('sum(up{app="$app")}', "has a ) that nothing opens"),
        ("a" * 30_000, "is too long"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(template: str, told: str) -> None:
    assert problem(template).startswith(told)


@pytest.mark.parametrize("template", ["up", 'up{env="$env"}', 'up{app="x"} # $app', 'up{"'])
def test_a_query_that_does_not_name_the_app_is_known(template: str) -> None:
    assert not names_the_app(template)
