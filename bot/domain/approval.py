"""The life of a rollback: which moves are legal, and what a vote does.

Everything here takes a rollback and returns the next one, or raises the `Refused` that says why
not. Who may vote at all is the policy's question (`bot.domain.policy`); its answer comes in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bot.domain.button import Claim
from bot.domain.words import OutcomeCode
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    NotAllowed,
    NotEligible,
    OutOfDate,
    ReasonMissing,
    RollbackExpired,
    SelfApproval,
)
from store.records import Choice, IllegalMove, Json, Leg, Rollback, State, Vote

TAKEN_BACK = "taken_back"  # why an approval is void whose giver rejected after all
KEYTURN = "keyturn"  # who asks when an alert does: nobody, so nobody is excluded

MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.DRAFT: frozenset({State.PENDING_APPROVAL, State.EXPIRED, State.SUPERSEDED}),
        State.PENDING_APPROVAL: frozenset(
            {State.APPROVED, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED}
        ),
        State.APPROVED: frozenset(
            {
                State.PENDING_APPROVAL,
                State.EXECUTING,
                State.REJECTED,
                State.EXPIRED,
                State.WITHDRAWN,
                State.SUPERSEDED,
            }
        ),
        State.EXECUTING: frozenset(
            {State.VERIFYING, State.SUPERSEDED, State.FAILED, State.NEEDS_ATTENTION}
        ),
        State.VERIFYING: frozenset({State.COMPLETED, State.NEEDS_ATTENTION}),
        State.COMPLETED: frozenset(),
        State.REJECTED: frozenset(),
        State.EXPIRED: frozenset(),
        State.WITHDRAWN: frozenset(),
        State.SUPERSEDED: frozenset(),
        State.FAILED: frozenset(),
        State.NEEDS_ATTENTION: frozenset(),
    }
)
ENDS = frozenset(state for state, after in MOVES.items() if not after)
_OPEN_TO_VOTERS = frozenset({State.PENDING_APPROVAL, State.APPROVED})


def as_mermaid() -> str:
    """Return the table of legal moves as a Mermaid state chart, one move a line."""
    lines = ["stateDiagram-v2", "    [*] --> DRAFT"]
    for state, following in MOVES.items():
        lines += [f"    {state} --> {after}" for after in State if after in following]
    lines += [f"    {state} --> [*]" for state in State if state in ENDS]
    return "\n".join(lines)


def move(rollback: Rollback, state: State, **changes: Any) -> Rollback:
    """Return *rollback* in *state* with *changes*, one revision later.

    Raises:
        IllegalMove: The table has no such move.
    """
    if state not in MOVES[rollback.state]:
        raise IllegalMove(f"rollback {rollback.id} cannot go from {rollback.state} to {state}")
    return rollback.moved(state, **changes)


def content_digest(legs: Iterable[Leg]) -> str:
    """Return what a vote binds to: sha256 (hex) over every leg's two sides and its difference.

    The form is frozen: a change to it needs another domain tag, and voids every open vote.
    """
    body = json.dumps([_leg_content(leg) for leg in legs], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"keyturn/rollback-content/v1\0" + body.encode()).hexdigest()


def _leg_content(leg: Leg) -> dict[str, Json]:
    return {
        "app": leg.where.app,
        "env": leg.where.env,
        "from": leg.from_version_id,
        "to": leg.to_version_id,
        "live_root": leg.live_root,
        "expected_root": leg.expected_root,
        "change_digest": leg.change_digest,
        "secrets": dict(leg.secrets),
    }


# -- Votes ------------------------------------------------------------------------------------


def approvals(rollback: Rollback) -> tuple[Vote, ...]:
    """Return the votes that count towards the quorum: one a person, of this very content.

    Neither a void vote, nor the requester's, nor one by somebody who was not eligible when the
    rollback was opened is among them, however it came to be there.
    """
    counted: dict[str, Vote] = {}
    for vote in rollback.votes:
        if (
            vote.choice is Choice.APPROVE
            and vote.voided_at is None
            and vote.digest == rollback.content_digest
            and vote.person != rollback.requested_by
            and vote.person in rollback.policy.eligible
        ):
            counted.setdefault(vote.person, vote)
    return tuple(counted.values())


def quorum(rollback: Rollback) -> bool:
    """Return whether enough different people have approved; never true without a policy."""
    needed = max(rollback.policy.votes, 1)
    return rollback.policy.named and len(approvals(rollback)) >= needed


def cast(
    rollback: Rollback, vote: Vote, *, at: datetime, claim: Claim, why_not: str | None
) -> Rollback:
    """Return *rollback* with *vote* counted, or raise the `Refused` that says why not.

    PENDING_APPROVAL takes votes: one reject ends it as REJECTED, the policy's number of
    approvals by different people makes it APPROVED, fewer leave it. An APPROVED one that waits
    to be executed takes rejects alone. Who has approved may still reject: the reject counts.

    Args:
        rollback: As it is now, read under its lock.
        vote: Its `at` is replaced by *at*; its `digest` is what the voter was shown.
        at: Now, by the clock that also decides expiry; at `expires_at` it is too late.
        claim: The verified claim of the button that was pressed.
        why_not: What `policy.why_not` said of the voter a moment ago; None: nothing.
    """
    _takes_votes(rollback, vote, at)
    _is_current(rollback, vote, claim)
    _may_vote(rollback, vote, why_not)
    if vote.choice is Choice.REJECT and not vote.reason.strip():
        raise ReasonMissing(f"{vote.person} rejects rollback {rollback.id} without a reason")
    return _counted(rollback, replace(vote, at=at, voided_at=None, voided_why=""), at)


def _takes_votes(rollback: Rollback, vote: Vote, at: datetime) -> None:
    states = _OPEN_TO_VOTERS if vote.choice is Choice.REJECT else {State.PENDING_APPROVAL}
    if rollback.state not in states:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    if at >= rollback.expires_at:
        raise RollbackExpired(f"rollback {rollback.id} expired at {rollback.expires_at}")


def _is_current(rollback: Rollback, vote: Vote, claim: Claim) -> None:
    current = (rollback.id, rollback.round, rollback.nonce)
    if (claim.rollback_id, claim.round, claim.nonce) != current:
        raise OutOfDate(f"the button is of round {claim.round}, not {rollback.round}")
    if vote.digest != rollback.content_digest:
        raise OutOfDate(f"{vote.person} saw another content of rollback {rollback.id}")


def _may_vote(rollback: Rollback, vote: Vote, why_not: str | None) -> None:
    if vote.person == rollback.requested_by:
        raise SelfApproval(f"{vote.person} asked for rollback {rollback.id}")
    if not rollback.policy.named:
        raise NotEligible("no_policy")
    if why_not is not None:
        raise NotEligible(why_not)
    if vote.person not in rollback.policy.eligible:
        raise NotEligible("not_at_open")
    standing = [v for v in rollback.votes if v.person == vote.person and v.voided_at is None]
    if standing and vote.choice is Choice.APPROVE:
        raise AlreadyVoted(f"{vote.person} has voted on rollback {rollback.id}")


def _counted(rollback: Rollback, vote: Vote, at: datetime) -> Rollback:
    if vote.choice is Choice.REJECT:
        votes = (*_taken_back(rollback, vote, at), vote)
        facts = {"slack_id": vote.slack_id, "reason": vote.reason}
        return _ended(rollback, State.REJECTED, OutcomeCode.REJECTED, facts, at, votes=votes)
    votes = (*rollback.votes, vote)
    after = rollback.moved(State.PENDING_APPROVAL, votes=votes)
    if not quorum(after):
        return after
    clicked = replace(rollback.execution, clicked_at=at)
    return move(rollback, State.APPROVED, votes=votes, execution=clicked)


def _taken_back(rollback: Rollback, vote: Vote, at: datetime) -> Iterator[Vote]:
    """Yield the votes before *vote*; an approval by the same person no longer stands."""
    for before in rollback.votes:
        own = before.person == vote.person and before.voided_at is None
        yield replace(before, voided_at=at, voided_why=TAKEN_BACK) if own else before


def void_votes(rollback: Rollback, why: Mapping[str, str], *, at: datetime) -> Rollback:
    """Return *rollback* without the votes of the people in *why* (person → code of the reason).

    The votes stay in the record as void, the round grows so that buttons of the card before
    are out of date, and an APPROVED rollback whose quorum is gone is PENDING_APPROVAL again.
    Without a standing vote of theirs the rollback comes back unchanged.

    Raises:
        AlreadyDecided: It is executing or has ended; votes are history then.
    """
    if rollback.state not in _OPEN_TO_VOTERS:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    votes = tuple(
        replace(vote, voided_at=at, voided_why=why[vote.person])
        if vote.person in why and vote.voided_at is None
        else vote
        for vote in rollback.votes
    )
    if votes == rollback.votes:
        return rollback
    after = rollback.moved(rollback.state, votes=votes, round=rollback.round + 1)
    if after.state is State.APPROVED and not quorum(after):
        unclicked = replace(after.execution, clicked_at=None)
        return replace(after, state=State.PENDING_APPROVAL, execution=unclicked)
    return after


# -- Other moves ------------------------------------------------------------------------------


def present(rollback: Rollback) -> Rollback:
    """Return *rollback* open for votes, now that its card is on the way."""
    return move(rollback, State.PENDING_APPROVAL)


def overdue(rollback: Rollback, *, at: datetime) -> bool:
    """Return whether *rollback* was not taken up for execution before its time ran out."""
    waiting = rollback.state in _OPEN_TO_VOTERS or rollback.state is State.DRAFT
    return waiting and at >= rollback.expires_at


def expire(rollback: Rollback, *, at: datetime) -> Rollback:
    """Return *rollback* EXPIRED, and why: not approved in time, or approved and never started.

    Raises:
        AlreadyDecided: It is not `overdue`.
    """
    if not overdue(rollback, at=at):
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state} and not overdue")
    approved = rollback.state is State.APPROVED
    code = OutcomeCode.NOT_STARTED if approved else OutcomeCode.EXPIRED
    return _ended(rollback, State.EXPIRED, code, {}, at)


def withdraw(rollback: Rollback, *, person: str, slack_id: str, at: datetime) -> Rollback:
    """Return *rollback* WITHDRAWN by the person who asked for it; possible until it executes.

    Raises:
        NotAllowed: Somebody else asked for it.
        AlreadyDecided: It is executing or has ended.
    """
    if person != rollback.requested_by:
        raise NotAllowed(f"{person} did not ask for rollback {rollback.id}")
    if rollback.state not in _OPEN_TO_VOTERS:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    facts = {"slack_id": slack_id}
    return _ended(rollback, State.WITHDRAWN, OutcomeCode.WITHDRAWN, facts, at)


def supersede(
    rollback: Rollback,
    code: OutcomeCode,
    *,
    at: datetime,
    facts: Mapping[str, Json] = MappingProxyType({}),
) -> Rollback:
    """Return *rollback* SUPERSEDED: what was voted on is no longer what would run."""
    return _ended(rollback, State.SUPERSEDED, code, facts, at)


def _ended(
    rollback: Rollback,
    state: State,
    outcome: OutcomeCode,
    facts: Mapping[str, Json],
    at: datetime,
    **changes: Any,
) -> Rollback:
    end = {"outcome": outcome.value, "outcome_facts": dict(facts), "finished_at": at}
    return move(rollback, state, **end, **changes)
