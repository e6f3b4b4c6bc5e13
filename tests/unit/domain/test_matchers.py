"""Which alerts a silence hushes, and what is asked for while it does."""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import announced, matchers
from bot.domain.matchers import Matcher
from bot.domain.naming import LabelMap, Match, sole_environments
from store.records import AppEnv
from tests.builders import PROD
from tests.fakes.alertmanager import fits

STAGING = AppEnv(PROD.app, "staging")
BILLING = AppEnv("billing", "prod")
KNOWN = frozenset({PROD, STAGING, BILLING})
LABELS = {"app": "billing", "env": "prod", "alertname": "Any"}


def hushes(
    where: AppEnv,
    labels: LabelMap,
    alert: Mapping[str, str],
    *names: str,
    known: Container[AppEnv] = KNOWN,
) -> bool:
    """Whether a silence of *where*, of the alerts called *names*, hushes *alert*."""
    ways = matchers.exactly(where, labels, known, names)
    found = any(all(fits(one, alert) for one in way) for way in ways)
    assert matchers.fits_one(ways, alert) is found, "as Alertmanager sees it"
    asked = matchers.broadly(where, labels, known)
    assert matchers.fits_one(asked, alert) or not found, "all that is hushed is asked for"
    return found


def test_only_the_named_alerts_of_the_app_are_hushed() -> None:
    labels = LabelMap()
    alert = {"app": PROD.app, "env": "prod", "alertname": "Slow (p95)"}

    assert hushes(PROD, labels, alert, "Slow (p95)", "Wrong")
    assert not hushes(PROD, labels, {**alert, "alertname": "Slow p95"}, "Slow (p95)", "Wrong")
    assert not hushes(PROD, labels, {**alert, "app": "other"}, "Slow (p95)")
    assert not hushes(STAGING, labels, alert, "Slow (p95)")


def test_without_names_all_are_hushed_but_the_word_of_a_rollback() -> None:
    alert = {"app": PROD.app, "env": "prod", "alertname": "Any"}

    assert hushes(PROD, LabelMap(), alert)
    assert not hushes(PROD, LabelMap(), {**alert, "alertname": announced.ALERTNAME})


def test_an_alert_that_names_no_environment_means_the_only_one() -> None:
    labels = LabelMap(sole={PROD.app: "prod"})

    assert hushes(PROD, labels, {"app": PROD.app, "alertname": "Any"})
    assert not hushes(PROD, labels, {"app": PROD.app, "env": "staging", "alertname": "Any"})


def test_where_other_labels_mean_the_app_those_are_silenced() -> None:
    match = Match({"service": ("triage-api", "triage-web")}, PROD.app)
    labels = LabelMap(match=(match,))

    for service in ("triage-api", "triage-web"):
        assert hushes(PROD, labels, {"service": service, "env": "prod", "alertname": "Any"})
    assert not hushes(PROD, labels, {"service": "billing", "env": "prod", "alertname": "Any"})


def test_where_an_app_can_be_meant_in_several_ways_each_is_silenced() -> None:
    match = (
        Match({"service": ("triage-api",)}, PROD.app),
        Match({"job": ("t",)}, PROD.app, "prod"),
    )
    labels = LabelMap(match=match)

    for means in ({"service": "triage-api", "env": "prod"}, {"job": "t"}, {"app": PROD.app}):
        alert = {"env": "prod", **means, "alertname": "Any"}
        assert hushes(PROD, labels, alert)
        assert not hushes(PROD, labels, alert, "Other")
        assert not hushes(PROD, labels, {**alert, "env": "staging"})
    assert hushes(PROD, labels, {"job": "t", "alertname": "Any"})
    assert not hushes(PROD, labels, {"service": "triage-api", "alertname": "Any"})


# -- whatever the settings are --------------------------------------------------------------------

APPS, ENVS = (PROD.app, BILLING.app, "new"), ("prod", "staging")
VALUES = {
    "app": ("", *APPS, "Help Desk"),
    "env": ("", *ENVS),
    "service": ("", "a", "b"),
    "job": ("", "j"),
    "alertname": ("Slow", "Wrong"),
}
PLACES = [AppEnv(app, env) for app in APPS for env in ENVS]


@st.composite
def readings(draw: st.DrawFn) -> tuple[LabelMap, frozenset[AppEnv]]:
    """How labels may be read, and which apps there are."""
    known = draw(st.sets(st.sampled_from(PLACES), min_size=1))
    conditions = st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from([v for v in values if v]), min_size=1, unique=True)
            for name, values in VALUES.items()
        },
    ).filter(bool)
    matches = st.builds(
        lambda labels, app, env: Match({n: tuple(v) for n, v in labels.items()}, app, env),
        conditions,
        st.sampled_from(APPS),
        st.sampled_from(("", *ENVS)),
    )
    called = st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=2, unique=True)
    names = st.dictionaries(st.sampled_from(("Help Desk", *APPS)), called.map(tuple), max_size=2)
    match = tuple(draw(st.lists(matches, max_size=4)))
    sole = sole_environments((place.app, place.env) for place in known)
    return LabelMap(match=match, sole=sole, names=draw(names)), frozenset(known)


@given(readings(), st.sampled_from([(), ("Slow",), ("Slow", "Wrong")]))
def test_a_silence_hushes_what_means_its_app_and_nothing_else(
    reading: tuple[LabelMap, frozenset[AppEnv]], names: tuple[str, ...]
) -> None:
    labels, known = reading
    ways = {place: matchers.exactly(place, labels, known, names) for place in known}
    asked = {place: matchers.broadly(place, labels, known) for place in known}
    for found in product(*VALUES.values()):
        alert = {name: value for name, value in zip(VALUES, found, strict=True) if value}
        where = labels.where(alert, known)
        for place in known:
            hushed = matchers.fits_one(ways[place], alert)
            wanted = place == where and (not names or alert["alertname"] in names)
            assert hushed is wanted, (alert, place, where)
            assert matchers.fits_one(asked[place], alert) or place != where


# -- what people write ----------------------------------------------------------------------------


def test_what_a_more_exact_match_gives_to_another_app_is_left_out_of_a_silence() -> None:
    match = (
        Match({"service": ("gateway",)}, PROD.app),
        Match({"service": ("gateway",), "route": ("billing", "invoices")}, BILLING.app),
    )
    labels = LabelMap(match=match)
    alert = {"service": "gateway", "env": "prod", "alertname": "Any"}

    assert hushes(PROD, labels, alert)
    assert hushes(PROD, labels, {**alert, "route": "triage"})
    assert not hushes(PROD, labels, {**alert, "route": "invoices"})
    assert hushes(BILLING, labels, {**alert, "route": "invoices"})
    assert not hushes(PROD, labels, {**alert, "route": "invoices", "app": PROD.app})
    not_theirs = Matcher("route", "billing|invoices", regex=True, equal=False)
    by_match, *by_name = matchers.exactly(PROD, labels, KNOWN)
    assert not_theirs in by_match
    assert [not_theirs in way for way in by_name] == [False, True]  # the service is another, or


def test_what_two_equally_exact_matches_fit_is_hushed_by_the_silence_of_neither() -> None:
    match = (Match({"service": ("gateway",)}, PROD.app), Match({"job": ("g",)}, BILLING.app))
    labels = LabelMap(match=match)
    alert = {"service": "gateway", "env": "prod", "alertname": "Any"}

    for where in (PROD, BILLING):
        assert not hushes(where, labels, {**alert, "job": "g"})
    assert hushes(PROD, labels, alert)


def test_a_match_that_is_always_another_apps_is_no_way() -> None:
    match = (
        Match({"service": ("gateway",)}, PROD.app),
        Match({"service": ("gateway",)}, BILLING.app),
    )

    (by_name,) = matchers.exactly(PROD, LabelMap(match=match), KNOWN)

    assert Matcher("app", PROD.app) in by_name


def test_an_app_behind_a_gateway_of_a_thousand_routes_is_silenced_in_two_ways() -> None:
    routes = [f"route-{number}" for number in range(1000)]
    rivals = tuple(
        Match({"service": ("gateway",), "route": (route,)}, f"app-of-{route}") for route in routes
    )
    labels = LabelMap(match=rivals)
    alert = {"app": PROD.app, "env": "prod", "service": "gateway", "alertname": "Any"}

    assert len(matchers.exactly(PROD, labels, KNOWN)) == 2
    assert hushes(PROD, labels, alert)
    assert hushes(PROD, labels, {**alert, "service": "other", "route": "route-7"})
    assert not hushes(PROD, labels, {**alert, "route": "route-999"})


def test_a_match_by_the_name_of_an_alert_hushes_that_alert_alone() -> None:
    labels = LabelMap(match=(Match({"alertname": ("TriageSlow",)}, PROD.app),))
    alert = {"env": "prod", "alertname": "TriageSlow"}

    assert hushes(PROD, labels, alert, "TriageSlow", "HighErrorRate")
    assert not hushes(PROD, labels, {**alert, "alertname": "HighErrorRate"}, "HighErrorRate")


def test_a_match_of_an_app_that_is_not_in_the_environment_is_no_rival() -> None:
    match = (Match({"service": ("gw",)}, PROD.app), Match({"service": ("gw",)}, "new"))
    labels = LabelMap(match=match)  # "new" is in staging alone
    known = {PROD, AppEnv("new", "staging")}

    assert hushes(PROD, labels, {"service": "gw", "env": "prod", "alertname": "Any"}, known=known)


def test_an_app_of_dify_that_is_called_as_another_one_hushes_nothing_of_that() -> None:
    namesake = AppEnv("billing-99999999", "prod")
    labels = LabelMap(names={"billing": (namesake,)})
    known = {BILLING, namesake}

    assert not hushes(namesake, labels, LABELS, known=known)
    assert hushes(namesake, labels, {**LABELS, "app": namesake.app}, known=known)
    assert hushes(BILLING, labels, LABELS, known=known)


def test_a_label_that_alertmanager_cannot_have_spoils_no_silence() -> None:
    labels = LabelMap(match=(Match({"service.name": ("b",)}, BILLING.app),))

    (by_name,) = matchers.exactly(PROD, labels, KNOWN)
    (own,) = matchers.exactly(BILLING, labels, KNOWN)

    assert {one.name for one in (*by_name, *own)} == {"app", "env", "alertname"}


def test_more_ways_than_are_bearable_are_never_more_than_what_means_the_app() -> None:
    names = [f"l{number}" for number in range(12)]
    rivals = tuple(
        Match({one: ("1",), other: ("1",)}, BILLING.app)
        for one, other in zip(names[::2], names[1::2], strict=True)
    )
    labels = LabelMap(match=rivals)
    ways = matchers.exactly(PROD, labels, KNOWN)

    assert len(ways) == matchers.MOST_WAYS
    for rival in rivals:
        other = {"app": PROD.app, "env": "prod", **dict.fromkeys(rival.labels, "1")}
        assert not hushes(PROD, labels, {**other, "alertname": "Any"})
    assert hushes(PROD, labels, {"app": PROD.app, "env": "prod", "alertname": "Any"})


def test_an_included_app_is_hushed_by_its_name_there_too() -> None:
    labels = LabelMap(names={"Support Triage": (PROD,)})

    assert hushes(PROD, labels, {"app": "Support Triage", "env": "prod", "alertname": "Any"})


@pytest.mark.parametrize(
    ("matcher", "spelled"),
    [
        (Matcher("app", 'a "b"\\c'), r'app="a \"b\"\\c"'),
        (Matcher("app", "a|b", regex=True), 'app=~"a|b"'),
        (Matcher("app", "a", equal=False), 'app!="a"'),
    ],
)
def test_a_matcher_is_spelled_as_alertmanager_reads_it(matcher: Matcher, spelled: str) -> None:
    assert matcher.spelled() == spelled
