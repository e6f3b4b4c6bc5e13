"""What going back gives up is named, change by change."""

from __future__ import annotations

from typing import Any

from bot.domain.lost import MOST, Later, counted, lost
from bot.domain.lost import words as in_words
from store.records import VersionSource
from tests.builders import a_version

REWORDED = {"code": "things", "kind": "prompt", "op": "changed", "count": 1}
ADDED = {"code": "things", "kind": "node", "op": "added", "count": 1}


def later(number: int, *phrases: dict[str, Any], **changes: Any) -> Later:
    version = a_version(number=number, **{"id": number, "author": "carol", **changes})
    return Later(version, phrases or (REWORDED,))


def words(between: list[Later], **how: Any) -> str:
    return in_words(lost(between, **how))


def test_each_later_change_is_named_by_its_own_summary_without_the_suspect() -> None:
    said = words([later(7), later(6, ADDED, author="bob")], suspect_id=7)

    assert said == "version 6 by bob: 1 node added"


def test_nothing_is_lost_when_only_the_suspect_lies_between() -> None:
    assert words([later(7)], suspect_id=7) == ""
    assert words([], suspect_id=None) == ""


def test_a_rollback_in_between_says_that_it_is_one() -> None:
    said = words([later(8, source=VersionSource.ROLLBACK, author="")], suspect_id=7)

    assert said == "version 8: a rollback: 1 prompt reworded"


def test_many_changes_are_counted_and_long_words_are_cut() -> None:
    swapped = {"code": "swapped", "before": "x " * 300, "after": ""}
    said = words([later(n, swapped) for n in range(20, 8, -1)], suspect_id=None)

    assert said.endswith(f"and {12 - MOST} more")
    assert len(said) < 590


def test_of_several_apps_each_is_named() -> None:
    found = [*lost([later(7)], suspect_id=None, where="a@prod")]
    found += lost([], suspect_id=None, where="b@prod")
    found += lost([later(3, ADDED)], suspect_id=None, where="c@prod")

    assert in_words(found) == (
        "a@prod: version 7 by carol: 1 prompt reworded; c@prod: version 3 by carol: 1 node added"
    )


def test_versions_that_nobody_looked_at_are_counted_apart() -> None:
    said = words([later(n) for n in range(100, 80, -1)], suspect_id=100, unread=79)

    assert said.endswith("; and 16 more; and whatever 79 older versions changed")
    assert words([later(2)], suspect_id=2, unread=1) == "and whatever 1 older version changed"


def test_what_is_lost_is_counted_without_the_suspect_and_what_means_the_same() -> None:
    history = [
        a_version(id=n, number=n, meaning=meaning)
        for n, meaning in ((7, "g"), (6, "f"), (5, "e"), (4, "d"), (3, "d"), (2, "b"), (1, "a"))
    ]
    live, old = history[1], history[4]

    assert counted(history, candidate=old, live=live, suspect_id=6) == 1
    assert counted(history, candidate=old, live=live, suspect_id=None) == 2
    assert counted(history, candidate=live, live=old, suspect_id=None) == 0
