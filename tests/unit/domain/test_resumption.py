"""How a copy's chain stands to an anchor, and what becomes of what is open in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.approval import MOVES
from bot.domain.resumption import Age, Anchor, age, fate
from bot.domain.words import OutcomeCode
from store.records import OPEN_STATES, Paused, PauseOrigin, Rollback, State, Version
from tests.builders import NOON, a_rollback, a_version

HEAD = "ab" * 32
PAUSED = Paused(PauseOrigin.BACKUP, "a test", NOON, seq=10, head=HEAD)


@pytest.mark.parametrize(
    ("anchor", "found", "expected"),
    [
        (Anchor(HEAD), 10, Age.SAME),
        (Anchor(HEAD[:12]), None, Age.SAME),
        (Anchor("cd" * 32), 4, Age.AHEAD),
        (Anchor("cd" * 32), None, Age.UNKNOWN),
        (Anchor("cd" * 32, 4), None, Age.OTHER),
        (Anchor("cd" * 32, 10), None, Age.OTHER),
        (Anchor("cd" * 32, 12), None, Age.UNKNOWN),
        (Anchor("cd" * 32, 12, {10: HEAD}), None, Age.BEHIND),
        (Anchor("cd" * 32, 12, {10: "ef" * 32}), None, Age.OTHER),
    ],
)
def test_a_chain_is_the_same_ahead_behind_or_another(
    anchor: Anchor, found: int | None, expected: Age
) -> None:
    assert age(PAUSED, anchor, found=found) is expected


def opened(state: State) -> Rollback:
    return replace(a_rollback(), state=state)


def with_root(version: Version, root: str) -> Version:
    return replace(version, root=root)


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("in_force", [True, False, None])
def test_every_fate_is_a_legal_move_to_an_end(
    state: State, marked: bool, in_force: bool | None
) -> None:
    rollback = opened(state)
    root = rollback.leg.expected_root if in_force else "other"
    live = None if in_force is None else with_root(a_version(), root)
    found = fate(rollback, [(live, a_version() if marked else None)])

    assert found.state in MOVES[state]
    assert not MOVES[found.state]


@pytest.mark.parametrize("state", [State.EXECUTING, State.VERIFYING])
def test_what_ran_and_is_not_live_under_its_name_calls_people(state: State) -> None:
    rollback = opened(state)
    good = with_root(a_version(), rollback.leg.expected_root)

    assert fate(rollback, [(good, None)]).needs_a_person
    assert fate(rollback, [(a_version(), a_version())]).needs_a_person
    assert not fate(rollback, [(good, good)]).needs_a_person


def test_what_had_not_started_says_why_it_ends() -> None:
    rollback = opened(State.APPROVED)
    same = replace(a_version(), external_id=rollback.leg.live_external_id)
    other = replace(a_version(), external_id="another")
    good = with_root(a_version(), rollback.leg.expected_root)

    assert fate(rollback, [(same, None)]).code is OutcomeCode.COPIED
    assert fate(rollback, [(other, None)]).code is OutcomeCode.LIVE_CHANGED
    assert fate(rollback, [(good, None)]).code is OutcomeCode.ALREADY_LIVE
    assert fate(rollback, [(other, good)]).code is OutcomeCode.CARRIED_OUT
