"""Which alert the trouble begins with that a case is looked at for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.onset import began
from store.records import Finding, Firing, FiringStatus, Version
from tests.builders import NOON, a_finding, a_firing, a_version


def alert(number: int, minute: float, *, over: bool = False) -> Firing:
    status = FiringStatus.RESOLVED if over else FiringStatus.FIRING
    return a_firing(id=number, starts_at=NOON + timedelta(minutes=minute), status=status)


def published(*minutes: float) -> list[Version]:
    return [a_version(published_at=NOON + timedelta(minutes=minute)) for minute in minutes]


def looked(at: int, minute: float) -> Finding:
    onset = NOON + timedelta(minutes=minute)
    before = onset - timedelta(minutes=2)
    return replace(a_finding(), onset_from=before, onset_to=onset, newest_firing_id=at)


def start(
    *firings: Firing, before: Finding | None = None, publishes: tuple[float, ...] = ()
) -> float:
    first = began(firings, before=before, history=published(*publishes))
    return (first.starts_at - NOON).total_seconds() / 60


def test_the_first_look_is_for_the_earliest_alert() -> None:
    assert start(alert(1, 5), alert(2, 3), publishes=(1,)) == 3


def test_an_alert_that_is_over_counts_only_where_no_other_came() -> None:
    assert start(alert(1, 3, over=True), alert(2, 9), publishes=(5,)) == 9
    assert start(alert(1, 3, over=True), publishes=(1,)) == 3


def test_an_alert_of_an_earlier_look_says_nothing_of_what_was_published_since() -> None:
    assert start(alert(1, 3), alert(2, 90), before=looked(1, 3), publishes=(1, 88)) == 90


def test_an_alert_that_joins_others_under_the_same_version_is_the_same_trouble() -> None:
    assert start(alert(1, 3), alert(2, 10), before=looked(1, 3), publishes=(1,)) == 3
    assert start(alert(1, 3, over=True), alert(2, 10), before=looked(1, 3), publishes=(1,)) == 10


def test_a_look_without_a_new_alert_is_for_the_trouble_of_the_look_before() -> None:
    assert start(alert(1, 3, over=True), alert(2, 5), before=looked(2, 3), publishes=(1, 9)) == 3


def test_what_was_found_before_versions_could_be_looked_at_leaves_every_alert_new() -> None:
    unread = Finding("target_unreadable", {"system": "dify"})

    assert start(alert(1, 3), alert(2, 5), before=unread, publishes=(1,)) == 3
