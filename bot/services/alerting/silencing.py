"""A silence begins or ends: what is written for it, whoever said so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain import drill, recovery
from bot.domain.words import NoteCode
from bot.ports.store import Transaction
from bot.services.alerting.rows import silence_row
from bot.services.outgoing import by_keyturn, note_row
from store.records import AppEnv, AuditDraft, Json, Rollback, Silenced


async def begin(
    tx: Transaction,
    where: AppEnv,
    until: datetime,
    *,
    alerts: Sequence[str],
    slack_id: str = "",
    rollback_id: int = 0,
    entry: AuditDraft,
) -> Silenced:
    """Silence *alerts* of *where* (all, without one) until *until*, and say it on its card."""
    silenced = await tx.silences.begin(
        where, until, alerts=alerts, slack_id=slack_id, rollback_id=rollback_id, entry=entry
    )
    await tx.outbox.put(silence_row(where, silenced))
    facts: dict[str, Json] = {
        "where": str(where),
        "alerts": list(alerts),
        "until": until.isoformat(),
        "slack_id": slack_id,
    }
    await _tell(tx, silenced, NoteCode.ALERTS_SILENCED, facts)
    return silenced


async def end(
    tx: Transaction, silenced: Silenced, *, slack_id: str = "", entry: AuditDraft
) -> None:
    """End *silenced*, and say it on the card of its app."""
    await tx.silences.end(silenced.where, entry=entry)
    await tx.outbox.put(silence_row(silenced.where, silenced, ended=True))
    facts: dict[str, Json] = {"where": str(silenced.where), "slack_id": slack_id}
    await _tell(tx, silenced, NoteCode.ALERTS_HEARD, facts)


async def begin_after(tx: Transaction, rollback: Rollback, *, bake: timedelta) -> bool:
    """Silence the alerts that brought *rollback* about while it is watched; False where not.

    A silence that a person began stays as it is.
    """
    if not rollback.watched or rollback.recovery is None or rollback.drill:
        return False
    case = await tx.cases.get(rollback.recovery.case_id)
    firings = drill.about(rollback, await tx.alerts.of_case(case.id))
    names = sorted({firing.alertname for firing in firings if firing.alertname})
    until = recovery.verified_at(rollback) + bake
    if not names or until <= await tx.now() or await tx.silences.of(case.where) is not None:
        return False
    said = {"alerts": names, "until": until.isoformat()}
    entry = by_keyturn(rollback, "alerts.silence", **said)
    await begin(tx, case.where, until, alerts=names, rollback_id=rollback.id, entry=entry)
    return True


async def end_after(tx: Transaction, rollback: Rollback) -> None:
    """End the silence that was begun because of *rollback*; it is not watched any more."""
    if rollback.recovery is None:
        return
    where = (await tx.cases.get(rollback.recovery.case_id)).where
    silenced = await tx.silences.of(where)
    if silenced is not None and silenced.rollback_id == rollback.id:
        await end(tx, silenced, entry=by_keyturn(rollback, "alerts.unsilence"))


async def _tell(
    tx: Transaction, silenced: Silenced, code: NoteCode, facts: dict[str, Json]
) -> None:
    for case in await tx.cases.open_cases():
        if case.where == silenced.where:
            await tx.outbox.put(note_row(case, code, facts, f"silence:{silenced.number}"))
