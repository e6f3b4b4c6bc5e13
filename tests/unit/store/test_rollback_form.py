"""A rollback as JSON and back, without loss: it is what the row keeps and what events tell."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import rollback_form
from store.records import Execution, Missing, NaiveTime, Rollback, State, Step
from store.rollbacks import replay
from tests.builders import ALICE, BOB, NOON, a_leg, a_reject, a_rollback, a_vote

moments = st.datetimes(timezones=st.just(UTC)) | st.none()


def there_and_back(rollback: Rollback) -> Rollback:
    return rollback_form.from_json(json.loads(json.dumps(rollback_form.to_json(rollback))))


@given(state=st.sampled_from(State), step=st.sampled_from(Step), at=moments, until=moments)
def test_every_state_and_step_comes_back(
    state: State, step: Step, at: datetime | None, until: datetime | None
) -> None:
    execution = Execution(step=step, owner="one", lease_until=until, clicked_at=at, verified_at=at)
    rollback = a_rollback(state=state, execution=execution, finished_at=at)

    assert there_and_back(rollback) == rollback


def test_votes_legs_and_facts_come_back() -> None:
    rollback = a_rollback(
        legs=(
            a_leg(),
            a_leg(
                secrets={},
                dry_run={"hitches": [{"name": "gpt-4o"}]},
                impact={"risk": "high", "callers": ["shop"]},
            ),
        ),
        votes=(a_vote(ALICE, voided_at=NOON, voided_why="left"), a_reject(BOB)),
        outcome_facts={"names": ["a"], "deep": {"x": None}},
    )

    assert there_and_back(rollback) == rollback


def test_a_row_of_before_there_was_an_impact_is_read() -> None:
    rollback = a_rollback()
    stored = json.loads(json.dumps(rollback_form.to_json(rollback)))
    del stored["legs"][0]["impact"], stored["policy"]["risk"]

    read = rollback_form.from_json(stored)

    assert read == rollback
    assert (read.leg.impact, read.policy.risk) == ({}, "")


def test_moments_are_kept_in_utc() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))

    kept = rollback_form.to_json(a_rollback(opened_at=NOON.astimezone(zone)))

    assert kept["opened_at"] == NOON.isoformat()


def test_a_moment_without_a_zone_is_refused() -> None:
    for naive in (
        a_rollback(opened_at=NOON.replace(tzinfo=None)),
        a_rollback(votes=(a_vote(at=NOON.replace(tzinfo=None)),)),
        a_rollback(execution=Execution(not_before=NOON.replace(tzinfo=None))),
    ):
        with pytest.raises(NaiveTime):
            rollback_form.to_json(naive)


def test_every_field_of_a_rollback_is_kept() -> None:
    assert set(rollback_form.to_json(a_rollback())) == {f.name for f in fields(Rollback)}
    assert replace(there_and_back(a_rollback()), id=1) != a_rollback()


def test_no_events_lead_to_no_rollback() -> None:
    with pytest.raises(Missing):
        replay([])
