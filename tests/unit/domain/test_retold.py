"""A rollback by its events alone is the rollback that is stored, whatever happened to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import retold
from bot.domain.approval import MOVES
from bot.domain.cloudevent import KINDS
from store import happened
from store.records import (
    Announcement,
    Choice,
    Done,
    Glass,
    Recovery,
    RecoveryState,
    Rollback,
    Signature,
    State,
    Step,
)
from tests.builders import ALICE, BOB, CAROL, NOON, PROD, TEAM, a_leg, a_rollback, a_vote
from tests.contract.store.things import OTHER

LATER = NOON + timedelta(minutes=5)
DRAFT = a_rollback(state=State.DRAFT, revision=1, legs=(a_leg(), a_leg(where=OTHER)))
Change = Callable[[Rollback], Rollback]


def as_told(found: Sequence[happened.Happened]) -> list[Announcement]:
    numbers = count(1)
    return [
        Announcement(n, PROD, n, str(n), kind, "rollback/17", data, NOON)
        for n, (kind, data) in zip(numbers, found, strict=False)
    ]


def lived(changes: Sequence[Change]) -> tuple[list[Announcement], Rollback]:
    """The events of a rollback that goes through *changes*, and how it is then."""
    rollback, found = DRAFT, [happened.opened(DRAFT, {12: 2, 11: None})]
    for change in changes:
        after = replace(change(rollback), revision=rollback.revision + 1)
        found += happened.steps(rollback, after)
        rollback = after
    return as_told(found), rollback


def moves(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    after = MOVES[rollback.state]
    if not after:
        return rollback
    state = draw(st.sampled_from(sorted(after)))
    ended: dict[str, Any] = (
        {} if state in happened_open() else {"outcome": "some", "finished_at": LATER}
    )
    return replace(rollback, state=state, **ended)


def happened_open() -> frozenset[State]:
    return frozenset(state for state, after in MOVES.items() if after)


def votes(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    person = draw(st.sampled_from((ALICE, BOB, CAROL)))
    choice = draw(st.sampled_from(Choice))
    void: dict[str, Any] = {"voided_at": LATER, "voided_why": "left"} if draw(st.booleans()) else {}
    cast = a_vote(person, choice=choice, reason="words of a person", **void)
    return replace(rollback, votes=(*rollback.votes, cast), round=draw(st.integers(1, 3)))


def voids(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    gone: dict[str, Any] = {"voided_at": LATER, "voided_why": "taken_back"}
    return replace(
        rollback,
        votes=tuple(v if v.voided_at else replace(v, **gone) for v in rollback.votes),
        glass=tuple(g if g.voided_at else replace(g, **gone) for g in rollback.glass),
    )


def breaks(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    word = Glass(ALICE, ALICE, TEAM, "words", "d" * 64, 1, "n", NOON, "card")
    return replace(rollback, glass=(*rollback.glass, word))


def executes(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    held = replace(
        rollback.execution,
        step=draw(st.sampled_from(Step)),
        position=draw(st.integers(0, 1)),
        attempt=draw(st.integers(0, 3)),
        back_because=draw(st.sampled_from(("", "live_differs"))),
        published_version_id=draw(st.sampled_from((None, 14))),
        verified_at=draw(st.sampled_from((None, LATER))),
        done=draw(st.sampled_from(((), (Done(0, "live-3", 14, "ee" * 32),)))),
        owner=draw(st.sampled_from(("one", "two"))),
    )
    return replace(rollback, execution=held)


def recovers(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    state = draw(st.sampled_from(RecoveryState))
    return replace(rollback, recovery=Recovery(state, 5, since=LATER, by="metric"))


def signs(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    name = Signature(BOB, BOB, TEAM, NOON, "a remark")
    closed = draw(st.sampled_from((rollback.reviewed_at, LATER)))
    return replace(rollback, signatures=(*rollback.signatures, name), reviewed_at=closed)


def changes(draw: st.DrawFn, rollback: Rollback) -> Rollback:
    return replace(rollback, risk=draw(st.sampled_from(("", "low", "high"))))


KINDS_OF_CHANGE = (moves, moves, votes, voids, breaks, executes, recovers, signs, changes)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Announcement], Rollback]:
    """A life in which several things may happen at once."""
    steps = draw(st.lists(st.lists(st.sampled_from(KINDS_OF_CHANGE), max_size=3), max_size=8))

    def all_of(some: Sequence[Any]) -> Change:
        def change(rollback: Rollback) -> Rollback:
            moved = False
            for one in some:
                if one is moves and moved:
                    continue  # one move a save
                moved |= one is moves
                rollback = one(draw, rollback)
            return rollback

        return change

    return lived([all_of(some) for some in steps])


@given(lives())
def test_the_events_of_a_rollback_lead_to_its_row(
    life: tuple[list[Announcement], Rollback],
) -> None:
    events, rollback = life

    assert retold.whole(events)
    assert retold.differences(events, rollback) == []
    assert {one.kind for one in events} <= set(KINDS)


@given(lives(), st.data())
def test_an_event_that_is_missing_or_otherwise_is_found(
    life: tuple[list[Announcement], Rollback], data: st.DataObject
) -> None:
    """Unless it told nothing that another one after it does not tell too."""
    events, rollback = life
    at = data.draw(st.integers(0, len(events) - 1))
    told = [*events[:at], replace(events[at], data={**events[at].data, "state": "BROKEN"})]
    if at == len(events) - 1:
        assert retold.differences(told, rollback)
    else:
        less = [*events[:at], *events[at + 1 :]]
        lost = retold.by_events(less) != retold.by_events(events)
        assert bool(retold.differences(less, rollback)) >= lost


def test_what_differs_is_named_with_both_sides() -> None:
    events, rollback = lived([lambda r: replace(r, state=State.PENDING_APPROVAL)])

    told = retold.differences(events, replace(rollback, state=State.APPROVED, risk="high"))

    assert "state: PENDING_APPROVAL by its events, APPROVED by its row" in told
    assert "risk:  by its events, high by its row" in told


def test_a_move_that_the_table_does_not_have_is_named() -> None:
    events, rollback = lived([lambda r: replace(r, state=State.COMPLETED)])

    (told,) = retold.differences(events, rollback)

    assert told == "event 2: no move leads from DRAFT to COMPLETED"


def test_without_its_first_event_a_rollback_is_not_told_whole() -> None:
    events, _ = lived([lambda r: replace(r, state=State.PENDING_APPROVAL)])

    assert not retold.whole(events[1:])
    assert not retold.whole([])
