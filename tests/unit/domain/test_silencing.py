"""How a silence is found again, and how our own alert is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain import announced, silencing
from bot.domain.announced import Step
from bot.domain.matchers import Matcher
from bot.domain.naming import LabelMap, Meaning
from bot.domain.silencing import Held
from store.records import AppEnv, Silenced
from tests.builders import PROD

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
STAGING = AppEnv(PROD.app, "staging")


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
