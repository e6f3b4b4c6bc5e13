"""Which alerts a silence hushes, how it is found again, and how our own alert is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from bot.domain import announced, silencing
from bot.domain.announced import Step
from bot.domain.naming import LabelMap, Match, Meaning
from bot.domain.silencing import Held, Matcher
from store.records import AppEnv, Silenced
from tests.builders import PROD
from tests.fakes.alertmanager import fits

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
STAGING = AppEnv(PROD.app, "staging")


def hushes(where: AppEnv, labels: LabelMap, alert: dict[str, str], *names: str) -> bool:
    ways = silencing.ways(where, labels, names)
    found = any(all(fits(one, alert) for one in way) for way in ways)
    assert silencing.fits_one(ways, alert) is found, "as Alertmanager sees it"
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


def test_every_alert_that_means_an_app_is_hushed_by_its_silence() -> None:
    values = {
        "app": ("", PROD.app, "Support Triage", "Both"),
        "env": ("", "prod", "staging"),
        "service": ("", "triage-api", "other"),
        "job": ("", "t"),
    }
    match = (
        Match({"service": ("triage-api",)}, PROD.app),
        Match({"job": ("t",)}, PROD.app, "prod"),
        Match({"job": ("t",), "service": ("other",)}, PROD.app, "staging"),
    )
    both = LabelMap(match=match, names={"Support Triage": (PROD,), "Both": (PROD, STAGING)})
    sole = LabelMap(match=match[:2], sole={PROD.app: "prod"}, names={"Both": (PROD,)})
    meant = 0

    for labels, known in ((both, {PROD, STAGING}), (sole, {PROD})):
        for found in product(*values.values()):
            alert = {name: value for name, value in zip(values, found, strict=True) if value}
            where = labels.where(alert, known)
            if where is not None:
                meant += 1
                assert hushes(where, labels, {**alert, "alertname": "Any"}), (alert, where)

    assert meant > 50


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


def test_a_silence_is_found_by_its_mark_and_told_from_an_older_one() -> None:
    wanted = Silenced(PROD, 3, AT + timedelta(minutes=30), AT)
    way, other_way = (Matcher("app", "a"), Matcher("env", "b")), (Matcher("service", "a"),)
    matchers = frozenset(reversed(way))
    until = wanted.until + timedelta(milliseconds=1)
    same = Held("id", silencing.comment(wanted), until, matchers)
    longer = Held("id", silencing.comment(wanted), wanted.until + timedelta(minutes=1), matchers)
    other = Held("id", silencing.comment(Silenced(STAGING, 3, AT, AT)), wanted.until)

    assert silencing.is_of(same, PROD)
    assert silencing.is_same(same, wanted, way)
    assert not silencing.is_same(same, wanted, other_way)
    assert not silencing.is_same(longer, wanted, way)
    assert not silencing.is_of(other, PROD)


def test_our_own_alert_means_no_app() -> None:
    step = Step(PROD.app, "prod", 7, 6, 8, approvals=2, alone=False)
    ours = announced.labels(step, app="app", env="env")

    assert announced.is_ours(ours)
    assert LabelMap().meaning(ours, {PROD}) == Meaning()
    assert LabelMap().meaning({**ours, "keyturn": ""}, {PROD}) == Meaning(PROD)


def test_what_is_said_of_a_rollback_is_numbers_and_names() -> None:
    step = Step(PROD.app, "prod", 7, 6, 8, approvals=0, alone=True, alerts=("A", "B"))

    said = announced.words(step, record="")

    assert said == {
        "summary": f"{PROD} went back from version 7 to version 6, live as version 8",
        "from_version": "7",
        "to_version": "6",
        "live_version": "8",
        "agreed": "one person alone, by break-glass",
        "because_of": "A, B",
    }
