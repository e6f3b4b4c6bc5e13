"""The name under which a rollback publishes: how our own work is known again after a crash.

Dify keeps `marked_name` (at most 20 characters) and `marked_comment` (at most 100) with every
published version and shows them in its history; its publish call has no idempotency key, so
this name is what tells "published by us" from "published by somebody else".
"""

from __future__ import annotations

import re

from bot.domain import quorum
from store.records import Rollback

NAME_LIMIT = 20
COMMENT_LIMIT = 100
_NAME = re.compile(r"(?:rollback|putback)-(\d{1,9})-([0-9a-f]{1,10})")


def name_of(rollback: Rollback) -> str:
    """Return the marked name under which *rollback* publishes now: its id, its nonce's start.

    A leg that is put back has another one, so that neither publish is taken for the other.
    """
    return _named(rollback, backwards=rollback.execution.backwards)


def is_of(name: str, rollback: Rollback) -> bool:
    """Whether *rollback* publishes, or has published, under *name*."""
    return name in {_named(rollback, backwards=way) for way in (False, True)}


def puts_back(name: str) -> bool:
    """Whether *name* is that of a leg that was put back."""
    return name.startswith("putback-")


def _named(rollback: Rollback, *, backwards: bool) -> str:
    word = "putback" if backwards else "rollback"
    return f"{word}-{rollback.id}-{rollback.nonce}"[:NAME_LIMIT]


def comment_of(rollback: Rollback, *, to_number: int | None) -> str:
    """Return the marked comment: which version came back, on whose word, and if for a drill."""
    ours = "Keyturn drill" if rollback.drill else "Keyturn"
    if rollback.execution.backwards:
        return f"{ours}: version {to_number} put back, another app did not follow"[:COMMENT_LIMIT]
    if rollback.broken_by is not None:
        approved = "and approved" if quorum.reached(rollback) else "not approved"
        said = f"by break-glass of {rollback.broken_by.slack_id}, {approved}"
        return f"{ours}: back to version {to_number}, {said}"[:COMMENT_LIMIT]
    approvers = ", ".join(sorted(vote.slack_id for vote in quorum.approvals(rollback)))
    who = f"approved by {approvers}" if approvers else f"asked by {rollback.requested_slack_id}"
    return f"{ours}: back to version {to_number}, {who}"[:COMMENT_LIMIT]


def rollback_id_in(name: str) -> int | None:
    """Return the rollback id that *name* claims, or None if it is no name of ours.

    Anybody can write such a name: compare with `name_of` before believing it.
    """
    match = _NAME.fullmatch(name)
    return int(match.group(1)) if match else None
