"""A publish of ours that went live after its rollback had ended: said loudly, never a success.

It takes a process that was stopped in the very moment of its call, or a call that was on its way
when it was given up. What Dify published then is whatever the draft held.
"""

from __future__ import annotations

import logging

from bot.domain import drill, legs, marker
from bot.domain.words import NoteCode, OutcomeCode
from bot.ports.store import Transaction
from bot.services.outgoing import note_row
from bot.services.settle import to_call
from store.records import AuditDraft, Json, Rollback, State, Version

log = logging.getLogger(__name__)
_BY_THE_ORIGINAL = frozenset(
    {OutcomeCode.CARRIED_OUT, OutcomeCode.COPIED, OutcomeCode.COPY_UNCLEAR}
)


async def notice(tx: Transaction, rollback: Rollback, version: Version) -> None:
    """Say that *version*, which carries the name of *rollback*, was published after its end.

    Nothing is said of the version that the rollback itself has read back.
    """
    if rollback.open or version.id in legs.published_versions(rollback.execution):
        return
    leg = rollback.leg_of(version.where)
    back = marker.puts_back(version.external_name)
    meant = (leg.live_root if back else leg.expected_root) if leg is not None else ""
    approved = version.root == meant
    if rollback.outcome in _BY_THE_ORIGINAL:
        return  # this database is a copy, and the original went on
    if approved and rollback.state is State.COMPLETED:
        return  # the approved content once more: what people were told is true
    facts: dict[str, Json] = {
        "where": str(version.where),
        "number": version.number,
        "approved": approved,
        "back": back,
        "state": rollback.state.value,
        "call": to_call(rollback),
    }
    case = await tx.cases.get(rollback.case_id)
    cause = f"late:{version.id}"
    if await tx.outbox.put(note_row(case, NoteCode.LATE_PUBLISH, facts, cause)):
        what: dict[str, Json] = {"app": str(version.where), **facts, **drill.mark(rollback)}
        await tx.audit.append(
            AuditDraft(
                user_id="keyturn",
                action="rollback.late_publish",
                resource=f"rollback/{rollback.id}",
                status="failed",
                what=what,
                ip_note="Keyturn itself",
            )
        )
        log.error("publish came late", extra={"rollback": rollback.id, "version": version.number})
