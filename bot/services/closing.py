"""Close a case that is over."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import closing, drill
from bot.ports.store import Transaction
from store.records import AuditDraft, Case, CaseState


async def close_if_over(tx: Transaction, case: Case) -> bool:
    """Close *case*, read under its lock in *tx*, if nothing in it is open or still firing.

    Returns whether it was closed. Its card stays as it is; the next alert opens another case.
    """
    rollback = None if case.rollback_id is None else await tx.rollbacks.get(case.rollback_id)
    firings = await tx.alerts.of_case(case.id)
    if not closing.over(case, rollback=rollback, firings=firings):
        return False
    closed = replace(case, state=CaseState.CLOSED, closed_at=await tx.now())
    await tx.cases.save(closed, was=case.revision)
    await tx.audit.append(
        AuditDraft(
            user_id="keyturn",
            action="case.close",
            resource=f"case/{case.id}",
            status="ok",
            what={
                "app": str(case.where),
                "outcome": rollback.outcome if rollback else "",
                **drill.mark_of(firings),
            },
            ip_note="Keyturn itself",
        )
    )
    return True
