"""Whether a rollback helped is watched: when that begins, and how its end is written down."""

from __future__ import annotations

from bot.domain import drill, quorum, recovery
from bot.domain.words import FindingCode, NoteCode
from bot.ports.store import Transaction
from bot.services import condemning
from bot.services.alerting.silencing import end_after
from bot.services.drill.ending import over
from bot.services.outgoing import by_keyturn, card_row, moved, note_row
from store.records import Case, Firing, Json, Recovery, RecoveryState, Rollback

MOST = 1000  # rollbacks that are watched at once
_ACTIONS = {
    RecoveryState.RECOVERED: "rollback.recovered",
    RecoveryState.NOT_RECOVERED: "rollback.not_recovered",
    RecoveryState.UNKNOWN: "rollback.recovery_unknown",
}


async def watching(tx: Transaction, rollback: Rollback) -> Recovery | None:
    """What is watched once *rollback* is carried out; None where no alert brought it about."""
    alerting = _alerting(await tx.cases.get(rollback.case_id))
    if not drill.about(rollback, await tx.alerts.of_case(alerting)):
        return None
    return Recovery(RecoveryState.WATCHED, alerting)


def _alerting(case: Case) -> int:
    """The case that has the alert: another one where the change was made behind the caller."""
    finding = case.finding
    if finding is None or finding.code != FindingCode.SUGGESTED_BEHIND:
        return case.id
    caller: int = finding.facts.get("case", case.id)  # older releases did not say it
    return caller


async def stop_watching(tx: Transaction, done: Rollback) -> None:
    """End every watch of what *done*, which was carried out, took the place of."""
    for rollback in await tx.rollbacks.watched(limit=MOST):
        if rollback.id == done.id or not any(rollback.leg_of(leg.where) for leg in done.legs):
            continue
        current = await tx.rollbacks.get(rollback.id, lock=True)
        if current.watched and current.recovery is not None:  # nobody ended it in this moment
            await conclude(tx, current, recovery.stopped(current.recovery))


async def conclude(tx: Transaction, before: Rollback, ended: Recovery) -> Rollback:
    """Write down how the watch of *before* ended, with its entry, card, note and consequence.

    Raises:
        Stale: It moved on meanwhile; nothing was stored.
    """
    after = before.moved(before.state, recovery=ended)
    case = await tx.cases.get(after.case_id)
    firings = drill.about(after, await tx.alerts.of_case(ended.case_id))
    times = _times(after, firings, await tx.cases.get(ended.case_id))
    told = recovery.told(after)
    entry = by_keyturn(after, _ACTIONS[ended.state], **told, **times)
    after = await tx.rollbacks.save(after, was=before.revision, entry=entry)
    if ended.state is RecoveryState.RECOVERED and not after.drill:
        await condemning.condemn(tx, after)
    facts: dict[str, Json] = {
        "recovery": ended.state.value,
        "facts": told,
        "times": times,
        "call": _to_call(after),
    }
    await end_after(tx, after)
    await tx.outbox.put(card_row(case, moved(after)))
    await tx.outbox.put(note_row(case, NoteCode.RECOVERY, facts, moved(after)))
    await over(tx, case, after)
    return after


def _times(rollback: Rollback, firings: list[Firing], alerting: Case) -> dict[str, Json]:
    if not firings or rollback.recovery is None:
        return {}
    began = recovery.meant(firings, alerting.finding).starts_at
    return recovery.times(rollback, began, rollback.recovery.since)


def _to_call(rollback: Rollback) -> list[Json]:
    """Who decided on it has to know that it did not help."""
    if rollback.recovery is None or rollback.recovery.state is not RecoveryState.NOT_RECOVERED:
        return []
    alone = [rollback.broken_by.slack_id] if rollback.broken_by else []
    asked = [rollback.requested_slack_id] if rollback.requested_slack_id else []
    voters = [vote.slack_id for vote in quorum.approvals(rollback)]
    return list(dict.fromkeys([*voters, *alone, *asked]))
