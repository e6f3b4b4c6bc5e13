"""What alerts did before, from samples of `ALERTS`."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import timedelta

from bot.adapters.prometheus import history, wire
from bot.adapters.prometheus.wire import Track, Window
from bot.domain.naming import LabelMap, Match
from bot.domain.verdict.incident import Alert
from store.records import AppEnv
from tests.adapters.prometheus.recordings import body, window
from tests.builders import NOON

MINUTE = timedelta(minutes=1)
TEN = Window(NOON, MINUTE, 10)
WHERE = AppEnv("triage", "prod")
LABELS = LabelMap()


def firing(*moments: int, app: str = "triage", name: str = "High") -> Track:
    values = [1.0 if n in moments else math.nan for n in range(TEN.count)]
    return Track({"alertname": name, "app": app, "env": "prod"}, values)


def spells(*tracks: Track, known: Collection[AppEnv] = (WHERE,)) -> list[tuple[int, int | None]]:
    """(first minute, minute of the end) of each alert that was found."""
    found = history.alerts(tracks, TEN, lambda labels: LABELS.where(labels, known))
    return [
        (
            (alert.starts_at - NOON) // MINUTE,
            None if alert.ends_at is None else (alert.ends_at - NOON) // MINUTE,
        )
        for alert in found
    ]


def test_a_spell_lasts_from_its_first_sample_to_a_step_after_its_last() -> None:
    assert spells(firing(2, 3, 4)) == [(2, 5)]


def test_what_fires_at_the_last_moment_has_no_end() -> None:
    assert spells(firing(8, 9)) == [(8, None)]


def test_one_sample_that_is_missing_ends_no_spell_and_two_do() -> None:
    assert spells(firing(1, 3)) == [(1, 4)]
    assert spells(firing(1, 4)) == [(1, 2), (4, 5)]


def test_series_of_one_alert_of_one_place_are_one_alert() -> None:
    assert spells(firing(1, 2), firing(3, 4), firing(4, 5)) == [(1, 6)]


def test_other_names_and_places_are_other_alerts() -> None:
    other = AppEnv("search", "prod")

    found = history.alerts(
        [firing(4), firing(2, app="search"), firing(1, name="Slow"), firing(0, app="nobody's")],
        TEN,
        lambda labels: LABELS.where(labels, [WHERE, other]),
    )

    assert [(alert.where, alert.name) for alert in found] == [
        (WHERE, "Slow"),
        (other, "High"),
        (WHERE, "High"),
    ]


def test_what_never_fired_and_what_has_no_name_is_no_alert() -> None:
    nameless = Track({"app": "triage", "env": "prod"}, [1.0] * 10)

    assert spells(firing(), nameless) == []
    assert spells() == []


def test_the_query_asks_by_the_labels_that_tell_the_place() -> None:
    labels = LabelMap(
        app="bot", env="stage", match=(Match({"service": ("a",), "no label": ("b",)}, "triage"),)
    )

    assert history.query(labels) == (
        'max by (alertname, bot, service, stage) (ALERTS{alertstate="firing"})'
    )


def test_recorded_samples_become_the_spells_that_were_seen() -> None:
    name = "query_range_alerts_series"
    asked = window(name)
    where = AppEnv("checkout-bot", "prod")

    found = history.alerts(
        wire.matrix(body(name), asked),
        asked,
        lambda labels: LABELS.where(labels, [where, AppEnv("checkout-bot", "staging")]),
    )

    began = asked.at(asked.number(1795474391) or 0)
    assert [a for a in found if a.where == where] == [
        Alert(where, "HighErrorRate", began, began + timedelta(seconds=55)),
        Alert(
            where,
            "HighErrorRate",
            began + timedelta(seconds=65),
            began + timedelta(seconds=70),
        ),
    ]
    assert [str(a.where) for a in found if a.where != where] == ["checkout-bot@staging"]
