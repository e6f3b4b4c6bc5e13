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

from bot.domain import quorum
from bot.domain.button import Claim
from bot.domain.words import OutcomeCode
from bot.errors import (
    AlreadyDecided,
    AlreadyVoted,
    NotAllowed,
    NotEligible,
    NoVote,
    OutOfDate,
    ReasonMissing,
    RollbackExpired,
    SelfApproval,
)
from store.records import Choice, IllegalMove, Json, Leg, Rollback, State, Vote

TAKEN_BACK = "taken_back"  # why an approval is void whose giver rejected after all

MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.DRAFT: frozenset({State.PENDING_APPROVAL, State.EXPIRED, State.SUPERSEDED}),
        State.PENDING_APPROVAL: frozenset(
            {
                State.APPROVED,
                State.BROKEN_GLASS,
                State.REJECTED,
                State.EXPIRED,
                State.WITHDRAWN,
                State.SUPERSEDED,
            }
        ),
        State.APPROVED: frozenset(
            {
                State.PENDING_APPROVAL,
                State.BROKEN_GLASS,
                State.EXECUTING,
                State.REJECTED,
                State.EXPIRED,
                State.WITHDRAWN,
                State.SUPERSEDED,
            }
        ),
        State.BROKEN_GLASS: frozenset(
            {
                State.PENDING_APPROVAL,
                State.APPROVED,
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
NOT_STARTED = frozenset({State.PENDING_APPROVAL, State.APPROVED, State.BROKEN_GLASS})


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


def cast(
    rollback: Rollback, vote: Vote, *, at: datetime, claim: Claim, why_not: str | None
) -> Rollback:
    """Return *rollback* with *vote* counted, or raise the `Refused` that says why not.

    PENDING_APPROVAL takes votes: the policy's number of rejects (one, unless it says otherwise)
    ends it as REJECTED, a quorum of approvals makes it APPROVED, fewer leave it. One that waits to
    be executed, APPROVED or by BROKEN_GLASS, takes rejects alone. Who has approved may still
    reject: the reject counts in the approval's place.

    Args:
        rollback: As it is now, read under its lock.
        vote: Its `at` is replaced by *at*; its `digest` is what the voter was shown.
        at: Now, by the clock that also decides expiry; at `expires_at` it is too late.
        claim: The verified claim of the button that was pressed.
        why_not: What `policy.why_not` said of the voter a moment ago; None: nothing.
    """
    _takes_votes(rollback, vote, at)
    is_current(rollback, digest=vote.digest, claim=claim)
    _may_vote(rollback, vote, why_not)
    if vote.choice is Choice.REJECT and not vote.reason.strip():
        raise ReasonMissing(f"{vote.person} rejects rollback {rollback.id} without a reason")
    return _counted(rollback, replace(vote, at=at, voided_at=None, voided_why=""), at)


def _takes_votes(rollback: Rollback, vote: Vote, at: datetime) -> None:
    states = NOT_STARTED if vote.choice is Choice.REJECT else {State.PENDING_APPROVAL}
    if rollback.state not in states:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    if at >= rollback.expires_at:
        raise RollbackExpired(f"rollback {rollback.id} expired at {rollback.expires_at}")


def is_current(rollback: Rollback, *, digest: str, claim: Claim) -> None:
    """Raise `OutOfDate` unless *claim* is of the current round, and *digest* of the content."""
    current = (rollback.id, rollback.round, rollback.nonce)
    if (claim.rollback_id, claim.round, claim.nonce) != current:
        raise OutOfDate(f"the button is of round {claim.round}, not {rollback.round}")
    if digest != rollback.content_digest:
        raise OutOfDate(f"another content of rollback {rollback.id} was shown")


def _may_vote(rollback: Rollback, vote: Vote, why_not: str | None) -> None:
    if vote.person == rollback.requested_by:
        raise SelfApproval(f"{vote.person} asked for rollback {rollback.id}")
    if not rollback.policy.named:
        raise NotEligible("no_policy")
    if why_not is not None:
        raise NotEligible(why_not)
    if vote.person not in rollback.policy.eligible:
        raise NotEligible("not_at_open")
    standing = _standing(rollback, vote.person)
    if standing and (vote.choice is Choice.APPROVE or standing[-1].choice is Choice.REJECT):
        raise AlreadyVoted(f"{vote.person} has voted on rollback {rollback.id}")


def _counted(rollback: Rollback, vote: Vote, at: datetime) -> Rollback:
    if vote.choice is Choice.REJECT:
        votes = (*_taken_back(rollback, vote.person, at), vote)
        after = rollback.moved(rollback.state, votes=votes)
        if len(quorum.rejects(after)) < rollback.policy.vetoes:
            return _fallen_back(after)
        facts = {"slack_id": vote.slack_id, "reason": vote.reason}
        return _ended(rollback, State.REJECTED, OutcomeCode.REJECTED, facts, at, votes=votes)
    votes = (*rollback.votes, vote)
    after = rollback.moved(State.PENDING_APPROVAL, votes=votes)
    return _approved(rollback, at, votes=votes) if quorum.reached(after) else after


def _approved(rollback: Rollback, at: datetime, **changes: Any) -> Rollback:
    clicked = replace(rollback.execution, clicked_at=at)
    return move(rollback, State.APPROVED, execution=clicked, **changes)


def _fallen_back(rollback: Rollback) -> Rollback:
    """An APPROVED one whose quorum is gone waits for approval again."""
    if rollback.state is not State.APPROVED or quorum.reached(rollback):
        return rollback
    unclicked = replace(rollback.execution, clicked_at=None)
    return replace(rollback, state=State.PENDING_APPROVAL, execution=unclicked)


def _standing(rollback: Rollback, person: str) -> list[Vote]:
    return [v for v in rollback.votes if v.person == person and v.voided_at is None]


def _taken_back(rollback: Rollback, person: str, at: datetime) -> Iterator[Vote]:
    """Yield the votes with *person*'s own no longer standing."""
    for before in rollback.votes:
        own = before.person == person and before.voided_at is None
        yield replace(before, voided_at=at, voided_why=TAKEN_BACK) if own else before


def take_back(rollback: Rollback, *, person: str, at: datetime) -> Rollback:
    """Return *rollback* without *person*'s vote, which stays in the record as taken back.

    They may vote again, on a newer card: the round grows, so that a click that was on its way
    does not bring the vote back.

    Raises:
        NoVote: They have none that stands.
        AlreadyDecided: It is approved, executing, or has ended.
        RollbackExpired: Its time is over.
    """
    if rollback.state is not State.PENDING_APPROVAL:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    if at >= rollback.expires_at:
        raise RollbackExpired(f"rollback {rollback.id} expired at {rollback.expires_at}")
    if not _standing(rollback, person):
        raise NoVote(f"{person} has no vote on rollback {rollback.id}")
    votes = tuple(_taken_back(rollback, person, at))
    return rollback.moved(rollback.state, votes=votes, round=rollback.round + 1)


def void_votes(rollback: Rollback, why: Mapping[str, str], *, at: datetime) -> Rollback:
    """Return *rollback* without the votes of the people in *why* (person → code of the reason).

    The votes stay in the record as void, the round grows so that buttons of the card before
    are out of date, and an APPROVED rollback whose quorum is gone is PENDING_APPROVAL again.
    Without a standing vote of theirs the rollback comes back unchanged.

    Raises:
        AlreadyDecided: It is executing or has ended; votes are history then.
    """
    if rollback.state not in NOT_STARTED:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    votes = tuple(
        replace(vote, voided_at=at, voided_why=why[vote.person])
        if vote.person in why and vote.voided_at is None
        else vote
        for vote in rollback.votes
    )
    if votes == rollback.votes:
        return rollback
    return _fallen_back(rollback.moved(rollback.state, votes=votes, round=rollback.round + 1))


# -- Other moves ------------------------------------------------------------------------------


def present(rollback: Rollback) -> Rollback:
    """Return *rollback* open for votes, now that its card is on the way."""
    return move(rollback, State.PENDING_APPROVAL)


def approve_unasked(rollback: Rollback, *, at: datetime) -> Rollback:
    """Return *rollback* APPROVED without a vote, as its policy wants for what a person asked for.

    Raises:
        AlreadyDecided: It is not open for votes.
        NotAllowed: The policy wants votes.
    """
    if rollback.state is not State.PENDING_APPROVAL:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    if not quorum.reached(rollback, ()):
        raise NotAllowed(f"rollback {rollback.id} needs {quorum.needed(rollback)} votes")
    return _approved(rollback, at)


def overdue(rollback: Rollback, *, at: datetime) -> bool:
    """Return whether *rollback* was not taken up for execution before its time ran out."""
    waiting = rollback.state in NOT_STARTED or rollback.state is State.DRAFT
    return waiting and at >= rollback.expires_at


def expire(rollback: Rollback, *, at: datetime) -> Rollback:
    """Return *rollback* EXPIRED, and why: not approved in time, or never started though it might.

    Raises:
        AlreadyDecided: It is not `overdue`.
    """
    if not overdue(rollback, at=at):
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state} and not overdue")
    code = {
        State.APPROVED: OutcomeCode.NOT_STARTED,
        State.BROKEN_GLASS: OutcomeCode.GLASS_NOT_STARTED,
    }.get(rollback.state, OutcomeCode.EXPIRED)
    return _ended(rollback, State.EXPIRED, code, {}, at)


def withdraw(rollback: Rollback, *, person: str, slack_id: str, at: datetime) -> Rollback:
    """Return *rollback* WITHDRAWN by the person who asked for it; possible until it executes.

    Raises:
        NotAllowed: Somebody else asked for it.
        AlreadyDecided: It is executing or has ended.
    """
    if person != rollback.requested_by:
        raise NotAllowed(f"{person} did not ask for rollback {rollback.id}")
    if rollback.state not in NOT_STARTED:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    facts = {"slack_id": slack_id}
    return _ended(rollback, State.WITHDRAWN, OutcomeCode.WITHDRAWN, facts, at)


def lose_requester(rollback: Rollback, *, at: datetime) -> Rollback:
    """Return *rollback* WITHDRAWN because who asked for it may no longer ask.

    For those that nobody else had to approve: there is no other word that they could run on.
    """
    facts = {"slack_id": rollback.requested_slack_id}
    return _ended(rollback, State.WITHDRAWN, OutcomeCode.REQUESTER_LOST, facts, at)


def subside(rollback: Rollback, *, since: datetime, at: datetime) -> Rollback:
    """Return *rollback* WITHDRAWN because its trouble is over by itself, *since* some time.

    Raises:
        AlreadyDecided: It does not wait for votes.
    """
    if rollback.state is not State.PENDING_APPROVAL:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    facts = {"since": since.isoformat()}
    return _ended(rollback, State.WITHDRAWN, OutcomeCode.TROUBLE_OVER, facts, at)


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
