"""How rollbacks stand or ended, and what jobs do, in words."""

from __future__ import annotations

from typing import Final

from bot.language import message
from bot.wording.speech import translated

_STATES: Final = {
    "DRAFT": message("is being prepared"),
    "PENDING_APPROVAL": message("waits for approval"),
    "APPROVED": message("is approved and about to start"),
    "BROKEN_GLASS": message("is about to start by break-glass"),
    "EXECUTING": message("is running"),
    "VERIFYING": message("is being verified"),
}
_ENDS: Final = {
    "COMPLETED": message("is done"),
    "REJECTED": message("was rejected"),
    "EXPIRED": message("expired"),
    "WITHDRAWN": message("was withdrawn"),
    "SUPERSEDED": message("gave way to another"),
    "FAILED": message("failed; the old version stays live"),
    "NEEDS_ATTENTION": message("*needs attention*"),
}
_JOBS: Final = {
    "snapshot": message("reads what was published"),
    "closer": message("looks for drift, and at drafts"),
    "remind": message("reminds those who may vote"),
    "remind-reviews": message("reminds of open reviews"),
    "prune": message("clears away what is done with"),
    "expire": message("ends what was not approved in time"),
    "close": message("closes cases that are over"),
    "recover": message("watches whether a rollback helped"),
}
_OVER: Final = message("is over")
_A_JOB: Final = message("a job")
_MOVED_ON, _ALARM = ":information_source:", ":rotating_light:"
_EMOJI: Final = {
    "completed": ":white_check_mark:",
    "rejected": ":x:",
    **dict.fromkeys(("expired", "not_started", "glass_not_started"), ":hourglass:"),
    **dict.fromkeys(("withdrawn", "requester_lost", "trouble_over"), ":leftwards_arrow_with_hook:"),
    **dict.fromkeys(
        ("live_changed", "other_version", "already_live", "carried_out", "copied"), _MOVED_ON
    ),
    **dict.fromkeys(("live_differs", "published_by_other"), _ALARM),
    **dict.fromkeys(
        ("draft_not_put_back", "draft_secrets_lost", "outcome_unknown", "copy_unclear"), _ALARM
    ),
}


def state_words(state: str) -> str:
    """How an open rollback stands."""
    return translated(_STATES.get(state, _OVER))


def end_words(state: str) -> str:
    """How a rollback ended."""
    return translated(_ENDS.get(state, _OVER))


def job_words(name: str) -> str:
    """What a job of the clock does."""
    return translated(_JOBS.get(name, _A_JOB))


def emoji(code: str) -> str:
    """The sign of how a rollback ended."""
    return _EMOJI.get(code, ":warning:")
