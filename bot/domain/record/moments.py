"""What happened, moment by moment: alerts, votes, moves, and each step of the execution. Pure.

A step of an execution is committed before the call that it names is made; so the lifecycle events
of a rollback are the log of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from store.records import (
    Choice,
    Firing,
    FiringStatus,
    Json,
    RecoveryState,
    Rollback,
    State,
    Step,
)

Lived = Sequence[tuple[datetime, Rollback]]  # as it was after each event, and when
_NO_CALLS = frozenset({Step.NONE, Step.DONE})


class What(StrEnum):
    """A kind of moment; the comment names its facts."""

    FIRED = "fired"  # name
    RESOLVED = "resolved"  # name
    ONSET = "onset"  # until: when it had begun at the latest
    OPENED = "opened"  # by: a Slack id, "" for Keyturn
    STATE = "state"  # state
    APPROVED = "approved"  # by
    REJECTED = "rejected"  # by, reason
    VOIDED = "voided"  # by, why
    GLASS = "glass"  # by, reason, in_freeze: bool
    GLASS_VOIDED = "glass_voided"  # by, why
    STEP = "step"  # step, where ("" for the only app), back: bool, facts of the step
    TAKEN_OVER = "taken_over"
    DRAFT = "draft"  # draft (a DraftNote), where
    RECOVERED = "recovered"
    SIGNED = "signed"  # by, remark
    REVIEWED = "reviewed"


@dataclass(frozen=True)
class Moment:
    """One thing that happened."""

    at: datetime
    what: What
    facts: Mapping[str, Json] = field(default_factory=dict)


def moments(
    rollback: Rollback,
    lived: Lived,
    firings: Sequence[Firing],
    onset: tuple[datetime, datetime] | None,
) -> tuple[Moment, ...]:
    """Return all that happened, by time; what came in the same instant in the order of cause."""
    began = [Moment(onset[0], What.ONSET, {"until": onset[1].isoformat()})] if onset else []
    found = [
        *began,
        *_alerts(firings),
        *_words(rollback),
        *_life(lived),
        *_afterwards(rollback),
    ]
    return tuple(sorted(found, key=lambda moment: moment.at))


def _alerts(firings: Sequence[Firing]) -> Iterator[Moment]:
    for firing in firings:
        yield Moment(firing.starts_at, What.FIRED, {"name": firing.alertname})
        if firing.status is FiringStatus.RESOLVED and firing.ends_at is not None:
            yield Moment(firing.ends_at, What.RESOLVED, {"name": firing.alertname})


def _words(rollback: Rollback) -> Iterator[Moment]:
    """What people said with their names."""
    for vote in rollback.votes:
        if vote.choice is Choice.APPROVE:
            yield Moment(vote.at, What.APPROVED, {"by": vote.slack_id})
        else:
            yield Moment(vote.at, What.REJECTED, {"by": vote.slack_id, "reason": vote.reason})
        if vote.voided_at is not None:
            facts = {"by": vote.slack_id, "why": vote.voided_why}
            yield Moment(vote.voided_at, What.VOIDED, facts)
    for glass in rollback.glass:
        said = {"by": glass.slack_id, "reason": glass.reason, "in_freeze": glass.in_freeze}
        yield Moment(glass.at, What.GLASS, said)
        if glass.voided_at is not None:
            facts = {"by": glass.slack_id, "why": glass.voided_why}
            yield Moment(glass.voided_at, What.GLASS_VOIDED, facts)


def _life(lived: Lived) -> Iterator[Moment]:
    """The moves of the rollback and the steps of its execution."""
    if lived:
        at, first = lived[0]
        yield Moment(at, What.OPENED, {"by": first.requested_slack_id})
    for (_, before), (at, after) in pairwise(lived):
        if after.state is not before.state:
            yield Moment(at, What.STATE, {"state": after.state.value})
        yield from _executed(before, after, at)


def _executed(before: Rollback, after: Rollback, at: datetime) -> Iterator[Moment]:
    was, now = before.execution, after.execution
    if now.step in _NO_CALLS:
        return
    where = str(after.legs[now.position].where) if after.joint else ""
    if (was.step, was.position, was.backwards) != (now.step, now.position, now.backwards):
        facts = {"step": now.step.value, "where": where, "back": now.backwards, **_of_step(after)}
        yield Moment(at, What.STEP, facts)
    elif was.lease_epoch != now.lease_epoch:
        yield Moment(at, What.TAKEN_OVER)
    if now.draft_note and now.draft_note != was.draft_note:
        yield Moment(at, What.DRAFT, {"draft": now.draft_note, "where": where})


def _of_step(rollback: Rollback) -> dict[str, Json]:
    """What the step says beside its name."""
    execution = rollback.execution
    match execution.step:
        case Step.STAGING:
            return {"kept": execution.kept_draft_id}
        case Step.PUBLISHING:
            return {"token": execution.staged_token}
        case Step.VERIFYING | Step.RETURNING:
            return {"published": execution.published_id}
        case Step.UNDOING:
            return {"failure": execution.failure}
        case _:
            return {}


def _afterwards(rollback: Rollback) -> Iterator[Moment]:
    recovery = rollback.recovery
    if recovery is not None and recovery.state is RecoveryState.RECOVERED and recovery.since:
        yield Moment(recovery.since, What.RECOVERED)
    for signature in rollback.signatures:
        facts = {"by": signature.slack_id, "remark": signature.remark}
        yield Moment(signature.at, What.SIGNED, facts)
    if rollback.reviewed_at is not None:
        yield Moment(rollback.reviewed_at, What.REVIEWED)


def moves(lived: Lived) -> tuple[tuple[datetime, State], ...]:
    """Return every state that the rollback came to, and when."""
    first = [(at, rollback.state) for at, rollback in lived[:1]]
    rest = [(at, now.state) for (_, was), (at, now) in pairwise(lived) if now.state != was.state]
    return (*first, *rest)
