"""Which entries are a reason to anchor the audit chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.anchoring import EVENTS, is_event
from store.records import AuditDraft

ENTRY = AuditDraft("alice", "vote.approve", "rollback/1", "ok", {}, ip_note="a test")


@pytest.mark.parametrize(
    "action",
    [
        "vote.approve",
        "rollback.execute",
        "rollback.completed",
        "rollback.failed",
        "rollback.needs_attention",
        "rollback.break_glass",
        "review.sign",
        "settings.reloaded",
        "vote.void",
        "version.drift",
    ],
)
def test_what_is_worth_forging_is_anchored(action: str) -> None:
    assert is_event(replace(ENTRY, action=action))
    assert action in EVENTS


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_an_event_is_one_however_it_ended(status: str) -> None:
    assert is_event(replace(ENTRY, action="rollback.failed", status=status))


def test_what_was_refused_has_changed_nothing() -> None:
    assert not is_event(replace(ENTRY, status="refused"))


@pytest.mark.parametrize("action", ["history.see", "case.open", "tag.move", "inbox.click"])
def test_what_happens_all_day_is_covered_by_the_next_anchor(action: str) -> None:
    assert not is_event(replace(ENTRY, action=action))
