"""Records of rollbacks for tests: complete, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.chart.view import ChartView, Firing, Mark, Panel, Role
from bot.domain.record.build import Kept, build
from bot.domain.record.view import RecordPage
from bot.domain.verdict.incident import Metric
from store.records import AuditDraft, AuditEntry, Rollback
from tests.builders import NOON, a_case, a_rollback, a_version

HEAD = (41, "ee" * 32)
VERSIONS = {11: a_version(id=11, number=1, author="bob"), 12: a_version()}
_STEP = timedelta(minutes=1)
A_CHART = ChartView(
    where="support-triage@prod",
    headline="Errors rose from 1 % to 20 %",
    alert="WrongAnswers",
    began=NOON - 30 * _STEP,
    ended=NOON,
    panels=(Panel(Metric.ERRORS, NOON - 30 * _STEP, _STEP, (0.01,) * 20 + (0.2,) * 11, 0.01, 0.2),),
    marks=(
        Mark(NOON - 11 * _STEP, "v2", Role.SUSPECT, 0),
        Mark(NOON - 29 * _STEP, "v1", Role.CANDIDATE, 1),
    ),
    onset=(NOON - 11 * _STEP, NOON - 10 * _STEP),
    firings=(Firing(NOON - 5 * _STEP, NOON, open=True),),
)


def a_record(
    rollback: Rollback | None = None, *, entries: Sequence[AuditEntry] = (), **kept: Any
) -> RecordPage:
    """The record of *rollback*, else of one that waits for votes; *reason* is why it was asked."""
    of = rollback or replace(a_rollback(), reason=kept.pop("reason", ""))
    facts: dict[str, Any] = {
        "made_at": NOON,
        "rollback": of,
        "lived": [(of.opened_at, of)],
        "case": a_case(),
        "firings": (),
        "finding": "",
        "told": None,
        "slipped_in": (),
        "chart": None,
        "versions": VERSIONS,
        "pages": [None for _ in of.legs],
        "others": (),
        "entries": entries,
        "head": HEAD,
        "flaw": "",
    }
    return build(Kept(**{**facts, **kept}))


def linked(*drafts: AuditDraft) -> list[AuditEntry]:
    """The chain of *drafts*, one a minute."""
    from store import chain

    made: list[AuditEntry] = []
    for seq, draft in enumerate(drafts, start=1):
        at = chain.timestamp(NOON + seq * _STEP)
        prev = made[-1].hash if made else chain.GENESIS
        made.append(chain.link(draft, seq=seq, timestamp=at, prev=prev))
    return made
