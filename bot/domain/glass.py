"""Break-glass: one person starts a rollback alone, and two others review it afterwards.

It is a path of its own. Nothing here is a vote, and nothing that counts votes looks at it
(`bot.domain.quorum`); what it needs instead is a person whom the policy names, a reason, and
a review that stays open until two others have signed it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.domain import approval, quorum
from bot.domain.button import Claim
from bot.errors import (
    AlreadyDecided,
    AlreadySigned,
    GlassRefused,
    NothingToReview,
    ReasonTooShort,
    ReviewRefused,
    RollbackExpired,
)
from store.records import Glass, Rollback, Signature, State

REASON_AT_LEAST: Final = 20  # characters: a sentence, not a word
SIGNATURES: Final = 2  # of others, that close the review

# -- Breaking it ------------------------------------------------------------------------------


def shatter(
    rollback: Rollback,
    glass: Glass,
    *,
    at: datetime,
    claim: Claim,
    why_not: str | None,
    frozen: bool,
) -> Rollback:
    """Return *rollback* as BROKEN_GLASS: it runs on the word of one person.

    One that is APPROVED runs by itself, so that the glass is broken only where a freeze holds it.

    Args:
        rollback: As it is now, read under its lock.
        glass: What it says of time, card and freeze is replaced; its `digest` is what was shown.
        at: Now, by the clock that also decides expiry; at `expires_at` it is too late.
        claim: The verified claim of the button that was pressed.
        why_not: What `policy.why_no_glass` said of the person a moment ago; None: nothing.
        frozen: The policy wants nothing rolled back at this time.

    Raises:
        AlreadyDecided: It is executing, has ended, or starts without that.
        RollbackExpired, OutOfDate, GlassRefused, ReasonTooShort: Why not, else.
    """
    held = rollback.state is State.APPROVED and frozen
    if rollback.state is not State.PENDING_APPROVAL and not held:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    if at >= rollback.expires_at:
        raise RollbackExpired(f"rollback {rollback.id} expired at {rollback.expires_at}")
    approval.is_current(rollback, digest=glass.digest, claim=claim)
    if not rollback.policy.named or not rollback.policy.break_glass:
        raise GlassRefused("glass_off")
    if why_not is not None:
        raise GlassRefused(why_not)
    if glass.person not in rollback.policy.breakers:
        raise GlassRefused("not_at_open")
    if len(" ".join(glass.reason.split())) < REASON_AT_LEAST:
        raise ReasonTooShort(REASON_AT_LEAST)
    broken = replace(
        glass,
        at=at,
        round=rollback.round,
        nonce=rollback.nonce,
        in_freeze=frozen,
        voided_at=None,
        voided_why="",
    )
    clicked = replace(rollback.execution, clicked_at=at)
    glasses = (*rollback.glass, broken)
    return approval.move(rollback, State.BROKEN_GLASS, glass=glasses, execution=clicked)


def void(rollback: Rollback, why: str, *, at: datetime) -> Rollback:
    """Return *rollback* back where its votes leave it: who broke the glass may no longer.

    It stays in the record as void, and the round grows: an older button brings nothing back.

    Raises:
        AlreadyDecided: It is not BROKEN_GLASS.
    """
    if rollback.state is not State.BROKEN_GLASS:
        raise AlreadyDecided(f"rollback {rollback.id} is {rollback.state}")
    approved = quorum.reached(rollback)
    execution = rollback.execution
    return approval.move(
        rollback,
        State.APPROVED if approved else State.PENDING_APPROVAL,
        glass=tuple(
            glass if glass.voided_at is not None else replace(glass, voided_at=at, voided_why=why)
            for glass in rollback.glass
        ),
        execution=execution if approved else replace(execution, clicked_at=None),
        round=rollback.round + 1,
    )


# -- The review -------------------------------------------------------------------------------


def sign(
    rollback: Rollback, signature: Signature, *, at: datetime, why_not: str | None
) -> Rollback:
    """Return *rollback* with *signature* under its review; the second one closes it.

    Args:
        rollback: As it is now, read under its lock.
        signature: Its `at` is replaced by *at*.
        at: Now.
        why_not: What `policy.why_no_signature` said of the person a moment ago.

    Raises:
        NothingToReview: It did not run by break-glass, runs still, or is reviewed.
        ReviewRefused: They may not sign, or broke the glass themselves.
        AlreadySigned: They have, be it by another account.
    """
    broken = rollback.broken_by
    if broken is None or not rollback.review_open:
        raise NothingToReview(str(rollback.leg.where))
    if signature.person == broken.person:
        raise ReviewRefused("own_glass")
    if why_not is not None:
        raise ReviewRefused(why_not)
    if any(signature.person == signed.person for signed in rollback.signatures):
        raise AlreadySigned(f"{signature.person} has signed the review of {rollback.id}")
    signatures = (*rollback.signatures, replace(signature, at=at))
    closed = at if len(signatures) >= SIGNATURES else None
    return rollback.moved(rollback.state, signatures=signatures, reviewed_at=closed)
