from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.candidate import Choice, choose
from bot.domain.words import FindingCode
from store.records import AppEnv, Version, VersionKind, VersionSource

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # when the alert starts
WHERE = AppEnv("support-triage", "prod")


def a_version(number: int | None, meaning: str, minutes_before: float) -> Version:
    at = NOON - timedelta(minutes=minutes_before)
    return Version(
        id=100 + (number or 0),
        where=WHERE,
        number=number,
        kind=VersionKind.PUBLISHED if number else VersionKind.DRAFT,
        source=VersionSource.PUBLISHED,
        root=f"{meaning}-{number}",
        meaning=meaning,
        external_id=str(number),
        external_hash="",
        published_at=at,
        recorded_at=at,
    )


def a_history(*published: tuple[str, float], first: int = 1) -> list[Version]:
    """Versions from number *first*: what each means, and how many minutes before noon it came."""
    return [a_version(number, *each) for number, each in enumerate(published, start=first)]


def chosen(history: Sequence[Version], condemned: frozenset[str] = frozenset()) -> Choice:
    return choose(
        history,
        live=max(history, key=lambda version: version.number or 0),
        condemned=condemned,
        earliest_starts_at=NOON,
        waited=timedelta(minutes=5),
        lookback=timedelta(hours=1),
    )


def numbers(choice: Choice) -> tuple[int | None, int | None]:
    suspect, candidate = choice.suspect, choice.candidate
    return suspect.number if suspect else None, candidate.number if candidate else None


def rolled_back(version: Version) -> Version:
    return replace(version, source=VersionSource.ROLLBACK)


def test_after_our_own_rollback_neither_it_nor_what_it_rolled_back_is_suspect() -> None:
    good, bad, back = a_history(("good", 300), ("bad", 20), ("good", 10))

    choice = chosen([good, bad, rolled_back(back)], frozenset({"bad"}))

    assert (choice.code, numbers(choice)) == (FindingCode.NO_CHANGE, (None, None))


def test_a_bad_publish_after_our_rollback_leads_back_to_what_the_rollback_published() -> None:
    good, bad, back, again = a_history(("good", 300), ("bad", 4), ("good", 3), ("bad", 1))

    choice = chosen([good, bad, rolled_back(back), again], frozenset({"bad"}))

    assert numbers(choice) == (4, 3)


def test_the_newest_change_before_the_alert_is_suspect_and_the_one_before_it_is_the_way_back() -> (
    None
):
    choice = chosen(a_history(("a", 900), ("b", 300), ("c", 12)))

    assert numbers(choice) == (3, 2)
    assert choice.code is FindingCode.SUGGESTED
    assert choice.facts == {
        "suspect": 3,
        "candidate": 2,
        "published_at": "2026-11-24T11:48:00Z",
        "onset_from": "2026-11-24T11:55:00Z",
        "onset_to": "2026-11-24T12:00:00Z",
        "minutes": 12,
        "drift": False,
    }
    assert (choice.onset_from, choice.onset_to) == (NOON - timedelta(minutes=5), NOON)


def test_no_history_no_suggestion() -> None:
    live = a_version(1, "a", 10)
    facts = {"earliest_starts_at": NOON, "waited": timedelta(0), "lookback": timedelta(hours=1)}

    for history in ([], [a_version(None, "draft", 10)]):
        choice = choose(history, live=live, condemned=frozenset(), **facts)  # type: ignore[arg-type]
        assert choice == Choice(FindingCode.NO_HISTORY)


def test_a_change_that_is_too_old_is_no_suspect() -> None:
    choice = chosen(a_history(("a", 900), ("b", 70)))

    assert choice.code is FindingCode.NO_CHANGE
    assert choice.facts == {
        "lookback_minutes": 60,
        "newest": 2,
        "newest_at": "2026-11-24T10:50:00Z",
    }


@pytest.mark.parametrize(("minutes", "suspect"), [(65, 2), (65.01, None), (0, 2), (-0.01, None)])
def test_a_suspect_came_at_most_the_lookback_before_the_onset_and_not_after_it(
    minutes: float, suspect: int | None
) -> None:
    assert numbers(chosen(a_history(("a", 900), ("b", minutes))))[0] == suspect


def test_a_change_after_the_alert_began_is_never_suspect() -> None:
    assert numbers(chosen(a_history(("a", 900), ("b", 20), ("c", -3)))) == (2, 1)


def test_two_changes_inside_the_onset_cannot_be_told_apart() -> None:
    choice = chosen(a_history(("a", 900), ("b", 4), ("c", 3), ("d", 1)))

    assert choice.code is FindingCode.TWO_CHANGES
    assert choice.facts == {"first": 2, "second": 4}
    assert numbers(choice) == (None, None)


@pytest.mark.parametrize(("minutes", "code"), [(5, "two_changes"), (5.01, "suggested")])
def test_the_onset_begins_where_the_rules_began_to_wait(minutes: float, code: str) -> None:
    assert chosen(a_history(("a", 900), ("b", minutes), ("c", 1))).code == code


def test_two_changes_before_the_onset_can_be_told_apart() -> None:
    assert numbers(chosen(a_history(("a", 900), ("b", 9), ("c", 7)))) == (3, 2)


def test_a_version_that_only_moved_boxes_is_no_change() -> None:
    assert numbers(chosen(a_history(("a", 900), ("b", 4), ("b", 3)))) == (2, 1)
    assert chosen(a_history(("a", 900), ("a", 10))).code is FindingCode.NO_CHANGE


def test_the_first_version_ever_is_a_change_with_nothing_before_it() -> None:
    choice = chosen(a_history(("a", 10)))

    assert choice.code is FindingCode.NO_SOUND_VERSION
    assert choice.facts == {"suspect": 1}
    assert numbers(choice) == (1, None)


def test_where_the_history_is_cut_off_its_oldest_version_is_not_taken_for_a_change() -> None:
    assert chosen(a_history(("a", 10), first=7)).code is FindingCode.NO_CHANGE


def test_a_condemned_meaning_is_passed_over() -> None:
    history = a_history(("a", 900), ("b", 800), ("a", 700), ("b", 600), ("c", 10))

    assert numbers(chosen(history)) == (5, 4)
    assert numbers(chosen(history, frozenset({"b"}))) == (5, 3)
    assert chosen(history, frozenset({"a", "b"})).code is FindingCode.NO_SOUND_VERSION


def test_a_bad_version_published_again_never_leads_back_to_its_first_publication() -> None:
    history = a_history(("good", 900), ("bad", 800), ("bad", 700), ("bad", 650), ("x", 400))
    history += a_history(("bad", 10), first=6)

    assert numbers(chosen(history)) == (6, 5)
    assert numbers(chosen(history, frozenset({"x"}))) == (6, 1)


def test_a_condemned_version_that_somebody_published_again_is_a_suspect_like_any_other() -> None:
    history = a_history(("good", 900), ("bad", 800), ("good", 700), ("bad", 10))

    assert numbers(chosen(history, frozenset({"bad"}))) == (4, 3)


def test_who_went_back_by_hand_is_not_told_to_go_further_back() -> None:
    choice = chosen(a_history(("old", 900), ("good", 800), ("bad", 10), ("good", -2)))

    assert choice.code is FindingCode.NO_SOUND_VERSION
    assert numbers(choice) == (3, None)


def test_a_hotfix_after_the_onset_is_left_together_with_the_suspect() -> None:
    assert numbers(chosen(a_history(("good", 800), ("bad", 10), ("hotfix", -2)))) == (2, 1)


def test_times_of_any_zone_are_told_in_utc() -> None:
    zone = timezone(timedelta(hours=9))
    choice = choose(
        a_history(("a", 900), ("b", 10)),
        live=a_version(2, "b", 10),
        condemned=frozenset(),
        earliest_starts_at=NOON.astimezone(zone),
        waited=timedelta(0),
        lookback=timedelta(hours=1),
    )

    assert choice.facts["onset_to"] == "2026-11-24T12:00:00Z"


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-10, 100)), max_size=8),
    st.frozensets(st.sampled_from("abcd")),
    st.randoms(use_true_random=False),
)
def test_what_is_suggested_is_always_sound_and_the_order_does_not_matter(
    published: list[tuple[str, int]], condemned: frozenset[str], dice: random.Random
) -> None:
    published.sort(key=lambda each: -each[1])
    history = a_history(*published)
    if not history:
        return

    choice = chosen(history, condemned)
    shuffled = list(history)
    dice.shuffle(shuffled)

    assert chosen(shuffled, condemned) == choice
    json.dumps(choice.facts)
    assert (choice.candidate is not None) == (choice.code is FindingCode.SUGGESTED)
    if choice.candidate is not None and choice.suspect is not None:
        assert choice.candidate.meaning not in {*condemned, choice.suspect.meaning}
        assert choice.candidate.meaning != history[-1].meaning
        assert choice.candidate.published_at <= choice.suspect.published_at <= NOON
