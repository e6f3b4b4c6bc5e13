"""The order of several apps in one rollback, and the undo log of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import legs
from store import rollback_form
from store.records import AppEnv, Done, Execution, Rollback, State, Step, Version
from tests.builders import NOON, a_leg, a_rollback, a_version

APPS = [a_leg(where=AppEnv(name, "prod")) for name in ("triage", "search", "index")]


def a_done(position: int, **changes: Any) -> Done:
    facts = {
        "position": position,
        "published_id": f"ours-{position}",
        "published_version_id": 20 + position,
        "undo_root": "dd" * 32,
    }
    return Done(**{**facts, **changes})


def at(position: int, *done: Done, **changes: Any) -> Execution:
    facts = {"step": Step.RETURNING, "owner": "w1", "lease_epoch": 3, "kept_draft_id": 7}
    return Execution(position=position, done=done, **{**facts, **changes})


def joint(execution: Execution) -> Rollback:
    return a_rollback(legs=tuple(APPS), state=State.EXECUTING, execution=execution)


@pytest.mark.parametrize(
    ("apps", "depends_on", "expected"),
    [
        (["a", "b"], {}, ["a", "b"]),
        (["a", "b"], {"a": ["b"]}, ["a", "b"]),
        (["b", "a"], {"a": ["b"]}, ["a", "b"]),
        (["c", "b", "a"], {"a": ["b"], "b": ["c"]}, ["a", "b", "c"]),
        (["c", "a"], {"a": ["b"], "b": ["c"]}, ["c", "a"]),
        (["a", "b"], {"a": ["b"], "b": ["a"]}, ["b", "a"]),
        ([], {"a": ["b"]}, []),
    ],
)
def test_callers_stand_before_what_they_call(
    apps: list[str], depends_on: dict[str, list[str]], expected: list[str]
) -> None:
    assert legs.callers_first(apps, depends_on) == expected


def test_what_an_app_needs_is_found_through_others_and_never_itself() -> None:
    needs = {"a": ["b", "c"], "b": ["c", "d"], "d": ["a"]}

    assert legs.behind("a", needs) == ["b", "c", "d"]
    assert legs.behind("c", needs) == []


def test_it_begins_with_the_last_leg_and_ends_with_the_first() -> None:
    rollback = joint(at(2))
    assert legs.first(rollback) == 2

    second = legs.gone_on(at(2), a_done(2))
    first = legs.gone_on(replace(second, step=Step.RETURNING), a_done(1))

    assert [second.position, first.position] == [1, 0]
    assert [legs.more_ahead(second), legs.more_ahead(first)] == [True, False]
    assert [done.position for done in first.done] == [2, 1]


def test_each_leg_begins_anew_in_the_same_hands() -> None:
    left = at(
        2,
        attempt=3,
        kept_token="t",
        sealed=("KEY",),
        staged_token="s",
        published_id="x",
        published_version_id=9,
        draft_note="put_back",
        failure="draft_busy",
        failure_facts={"x": 1},
    )

    gone_on = legs.gone_on(left, a_done(2))

    anew = Execution(step=Step.CLAIMED, owner="w1", lease_epoch=3, position=1, done=(a_done(2),))
    assert gone_on == anew


@pytest.mark.parametrize(
    ("state", "code", "turns"),
    [
        (State.FAILED, "target_down", True),
        (State.SUPERSEDED, "live_changed", True),
        (State.NEEDS_ATTENTION, "draft_not_put_back", True),
        (State.NEEDS_ATTENTION, "draft_secrets_lost", True),
        (State.NEEDS_ATTENTION, "live_differs", False),
        (State.NEEDS_ATTENTION, "outcome_unknown", False),
        (State.COMPLETED, "completed", False),
    ],
)
def test_only_an_end_with_nothing_new_live_puts_the_others_back(
    state: State, code: str, turns: bool
) -> None:
    assert legs.turns_back(at(1, a_done(2)), state, code) is turns
    assert not legs.turns_back(at(2), state, code), "nothing was done before the first"


def test_what_is_being_put_back_is_not_turned_once_more() -> None:
    back = legs.turned_back(at(0, a_done(2), a_done(1)), State.FAILED, "target_down", {})

    assert not legs.turns_back(back, State.FAILED, "target_down")


def test_they_come_back_newest_first_each_from_what_was_published_to_what_was_live() -> None:
    turned = legs.turned_back(at(0, a_done(2), a_done(1)), State.FAILED, "draft_busy", {"x": 1})
    back = joint(turned)

    assert (turned.position, turned.back_because, turned.back_facts) == (1, "draft_busy", {"x": 1})
    assert turned.back_state == State.FAILED
    assert back.current.where == APPS[1].where
    assert (back.current.from_version_id, back.current.to_version_id) == (21, 12)
    assert (back.current.live_external_id, back.current.live_root) == (
        "ours-1",
        APPS[1].expected_root,
    )
    assert back.current.expected_root == "dd" * 32
    on = legs.came_back(replace(turned, published_version_id=31), legs.BACK)
    assert (on.position, legs.all_tried(on)) == (2, False)
    end = legs.came_back(replace(on, published_version_id=32), legs.BACK)
    assert legs.all_tried(end)
    assert legs.all_back(end)
    assert legs.published_versions(end) == {21, 22, 31, 32}


def test_what_each_leg_brought_is_known_by_its_position() -> None:
    done = (a_done(2, draft_note="put_back"), a_done(1))
    last = at(0, *done, published_version_id=30, draft_note="unchanged")

    assert legs.brought(joint(last)) == {
        2: (22, "put_back"),
        1: (21, ""),
        0: (30, "unchanged"),
    }
    assert legs.brought(joint(at(0, *done))).keys() == {2, 1}


def test_with_three_apps_the_newest_is_put_back_first() -> None:
    turned = legs.turned_back(at(0, a_done(3), a_done(2), a_done(1)), State.FAILED, "x", {})

    assert turned.position == 1


def test_one_that_could_not_be_put_back_does_not_hold_up_the_others() -> None:
    turned = legs.turned_back(at(0, a_done(2), a_done(1)), State.FAILED, "draft_busy", {})

    end = legs.came_back(legs.came_back(turned, "live_changed"), legs.BACK)

    assert legs.all_tried(end)
    assert not legs.all_back(end)
    assert [done.back for done in end.done] == [legs.BACK, "live_changed"]


def test_the_undo_log_is_the_same_after_it_was_stored() -> None:
    turned = legs.turned_back(at(0, a_done(2), a_done(1)), State.FAILED, "draft_busy", {"x": 1})
    rollback = joint(turned)

    assert rollback_form.from_json(rollback_form.to_json(rollback)) == rollback


def history(*hours: int) -> Sequence[Version]:
    """Versions, newest first, published so many hours after noon; numbered from 1."""
    return [
        a_version(id=n, number=n, published_at=NOON + timedelta(hours=hour))
        for n, hour in reversed(list(enumerate(hours, start=1)))
    ]


def test_a_version_lived_until_the_next_one() -> None:
    versions = history(0, 2, 5)

    assert legs.lived_until(versions, 1) == NOON + timedelta(hours=2)
    assert legs.lived_until(versions, 3) is None
    assert legs.lived_until(versions, 9) is None


def test_what_was_live_then_is_the_newest_that_was_published_before() -> None:
    versions = history(0, 2, 5)

    live = legs.live_before(versions, NOON + timedelta(hours=5))
    assert live is not None
    assert live.number == 2
    assert legs.live_before(versions, NOON) is None
