"""The storm tells nothing that Alertmanager would keep to itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from tests.proofs.storm import alerts
from tests.proofs.storm.alerts import Alert, Storm

WAVES = 40


@pytest.fixture(autouse=True)
def each_look_at_the_clock_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    began = datetime(2026, 7, 1, tzinfo=UTC)
    later: Iterator[datetime] = (began + timedelta(milliseconds=n) for n in count())
    monkeypatch.setattr(alerts, "_now", lambda: next(later))


def a_storm() -> Storm:
    return Storm(["shop", "desk"], 200, WAVES, random.Random(7))


def ends(storm: Storm) -> int:
    return sum(alert.ends_at is not None for alert in storm.alerts)


def test_an_alert_ends_only_when_its_beginning_was_heard_of() -> None:
    storm = a_storm()
    storm.steady(storm.apps)

    for _ in range(WAVES):
        storm.wave(lambda alert: alert.steady)
    assert ends(storm) == 0

    for _ in range(WAVES):
        storm.wave(lambda _: True)
    assert ends(storm) > 0


def test_what_begins_again_does_not_end_again_before_that_was_heard_of() -> None:
    storm, heard = a_storm(), set[str]()
    storm.steady(storm.apps)

    def has_heard(alert: Alert) -> bool:
        return alert.steady or f"{alert.instance} {alert.starts_at}" in heard

    for _ in range(WAVES):
        storm.wave(has_heard)
        heard |= {f"{a.instance} {a.starts_at}" for a in storm.alerts}
    assert storm.begun_again > 0

    heard.clear()
    before = {a.instance: a.ends_at for a in storm.alerts}
    for _ in range(WAVES):
        storm.wave(has_heard)
    ended = [a for a in storm.alerts if a.ends_at is not None]
    assert ended == [a for a in ended if before[a.instance] == a.ends_at]
