"""Put the record of a rollback together from what the store holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain import card_view, dry_run, dry_run_told, impact_told, legs, quorum, recovery
from bot.domain.chart.view import ChartView
from bot.domain.diff.page import DiffPage
from bot.domain.record.entries import of_rollback
from bot.domain.record.hidden import all_hidden, drawn_quietly, hidden, quiet
from bot.domain.record.moments import Lived, moments, moves
from bot.domain.record.view import AlertShown, Cause, Chain, LegShown, RecordPage, Related
from bot.domain.redact import redact, redact_text
from store.records import (
    AuditEntry,
    Case,
    Firing,
    FiringStatus,
    Json,
    Leg,
    Rollback,
    Version,
)

_ONSET = "onset_"  # reasons that say when it began


@dataclass(frozen=True)
class Kept:
    """What the store holds of one rollback.

    Args:
        made_at: Now.
        rollback, lived, case: It, as it was after each of its events, and its case.
        firings: The alerts that brought it about, or that were watched after it.
        finding: The code of what was found when it was opened, "" where nothing was.
        told: The facts of the evidence as the thread had it, None where it had none.
        slipped_in: Lines of what was live in place of what was approved.
        chart: What was drawn in the thread, None where nothing was, or it is kept no more.
        versions: By id; both sides of each leg and what they brought.
        pages: The difference of each leg, None for one that cannot be read.
        others: Other rollbacks of the app, the newest first.
        entries: Of the audit chain, about it or near it.
        head: (seq, hash) of the newest entry of all.
        flaw: What is wrong with *entries*, "" when nothing is.
    """

    made_at: datetime
    rollback: Rollback
    lived: Lived
    case: Case
    firings: Sequence[Firing]
    finding: str
    told: Mapping[str, Json] | None
    slipped_in: Sequence[str]
    chart: ChartView | None
    versions: Mapping[int, Version]
    pages: Sequence[DiffPage | None]
    others: Sequence[Rollback]
    entries: Sequence[AuditEntry]
    head: tuple[int, str]
    flaw: str


def build(kept: Kept) -> RecordPage:
    """Return the record of *kept*; the same state gives the same record."""
    rollback = hidden(kept.rollback)
    firings = [quiet(firing) for firing in kept.firings]
    onset = _onset(kept)
    since = rollback.recovery.since if rollback.recovery else None
    began = recovery.meant(firings, kept.case.finding).starts_at if firings else None
    return RecordPage(
        made_at=kept.made_at,
        where=str(rollback.leg.where),
        rollback=rollback,
        alerts=tuple(map(_alert, firings)),
        cause=_cause(kept),
        onset=onset,
        chart=drawn_quietly(kept.chart) if kept.chart else None,
        impact=impact_told.told(rollback),
        legs=tuple(
            _leg(rollback, position, kept.versions, kept.pages[position])
            for position in range(len(rollback.legs))
        ),
        policy=rollback.policy,
        needed=quorum.needed(rollback),
        moments=moments(rollback, all_hidden(kept.lived), firings, onset),
        moves=moves(kept.lived),
        seconds=card_view.seconds_to_verified(rollback),
        recovery=recovery.told(rollback) or None,
        times=recovery.times(rollback, began, since) if began else {},
        slipped_in=tuple(map(redact_text, kept.slipped_in)),
        undone_by=_undone_by(rollback, kept.others),
        undoes=_undoes(rollback, kept.others),
        beside=tuple(
            Related(one.id, one.state)
            for one in reversed(kept.others)
            if one.case_id == rollback.case_id and one.id != rollback.id
        ),
        chain=Chain(
            of_rollback(kept.entries, kept.rollback, kept.case), *kept.head, flaw=kept.flaw
        ),
    )


# -- Why ----------------------------------------------------------------------------------------


def _cause(kept: Kept) -> Cause | None:
    """What was found when it was opened; what the case says now may be about something else."""
    finding = kept.case.finding
    facts: Mapping[str, Json] = {}
    code = ""
    if finding is not None and finding.code == kept.finding and _names(finding.facts, kept):
        code, facts = finding.code, redact(dict(finding.facts))
    told = kept.told if kept.told is not None else facts
    reasons = redact(list(told.get("reasons") or ()))
    if not code and not reasons:
        return None
    measured = any(reason.get("code") == "onset_metric" for reason in reasons)
    return Cause(code, facts, reasons, told.get("percent"), by_chart=measured)


def _names(facts: Mapping[str, Json], kept: Kept) -> bool:
    """Whether *facts* are about the version that the rollback goes to, or about none."""
    to = kept.versions.get(kept.rollback.leg.to_version_id)
    named = facts.get("candidate")
    return named is None or to is None or named == to.number


def _onset(kept: Kept) -> tuple[datetime, datetime] | None:
    """When it began; by the evidence of its time, since the case may have been looked at again."""
    for reason in (kept.told or {}).get("reasons") or ():
        if str(reason.get("code", "")).startswith(_ONSET):
            return datetime.fromisoformat(reason["from"]), datetime.fromisoformat(reason["to"])
    finding = kept.case.finding
    if finding is None or finding.code != kept.finding or not finding.onset_from:
        return None
    return finding.onset_from, finding.onset_to or finding.onset_from


def _alert(firing: Firing) -> AlertShown:
    return AlertShown(
        name=firing.alertname,
        severity=firing.labels.get("severity", ""),
        fingerprint=firing.fingerprint,
        began=firing.starts_at,
        ended=firing.ends_at if firing.status is FiringStatus.RESOLVED else None,
        summary=firing.annotations.get("summary", ""),
    )


# -- What ---------------------------------------------------------------------------------------


def _leg(
    rollback: Rollback, position: int, versions: Mapping[int, Version], page: DiffPage | None
) -> LegShown:
    leg = rollback.legs[position]
    brought = legs.brought(rollback).get(position)
    done = next((one for one in rollback.execution.done if one.position == position), None)
    made = versions.get(brought[0]) if brought and not rollback.execution.backwards else None
    if rollback.execution.backwards and done is not None:
        made = versions.get(done.published_version_id)
    found = dry_run.hitches_in(leg.dry_run)
    return LegShown(
        where=str(leg.where),
        old=_number(versions, leg.from_version_id),
        new=_number(versions, leg.to_version_id),
        live_root=leg.live_root,
        expected_root=leg.expected_root,
        made=made.number if made else None,
        verified=made is not None and made.root == leg.expected_root,
        back=done.back if done else "",
        draft=brought[1] if brought else "",
        dry_run=tuple(dry_run_told.in_full(found, env=leg.where.env)) if found is not None else (),
        restored=leg.restored,
        page=page,
    )


def _number(versions: Mapping[int, Version], version_id: int) -> int | None:
    version = versions.get(version_id)
    return version.number if version else None


# -- What else ----------------------------------------------------------------------------------


def _undone_by(rollback: Rollback, others: Sequence[Rollback]) -> Related | None:
    """The newest later rollback that goes from what *rollback* brought to what was before it."""
    return next((Related(one.id, one.state) for one in others if _turns_back(one, rollback)), None)


def _undoes(rollback: Rollback, others: Sequence[Rollback]) -> Related | None:
    return next((Related(one.id, one.state) for one in others if _turns_back(rollback, one)), None)


def _turns_back(later: Rollback, before: Rollback) -> bool:
    """Whether *later* goes from what *before* brought back to what it had taken away."""
    if later.id <= before.id:
        return False
    made = {
        before.legs[position].where: (version_id, before.legs[position].from_version_id)
        for position, (version_id, _) in legs.brought(before).items()
    }
    return any(made.get(leg.where) == _way(leg) for leg in later.legs)


def _way(leg: Leg) -> tuple[int, int]:
    return leg.from_version_id, leg.to_version_id
