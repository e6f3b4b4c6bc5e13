"""End an open rollback whose ground has gone: what is live is no longer what was shown."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import approval
from bot.domain.words import NoteCode, OutcomeCode
from bot.ports.store import Transaction
from bot.services.drill.ending import over
from bot.services.outgoing import card_row, moved, note_row
from store.records import AppEnv, AuditDraft, Case, Json, Rollback, State, Version

_NOT_STARTED = frozenset({State.DRAFT}) | approval.NOT_STARTED
_NOTHING_LEFT = frozenset({OutcomeCode.ALREADY_LIVE, OutcomeCode.CARRIED_OUT})
_DRILL_OVER = frozenset({OutcomeCode.DRILL_GAVE_WAY, OutcomeCode.NO_DRILL_APP})


async def outdate(tx: Transaction, where: AppEnv, *, live: Version) -> bool:
    """Supersede the open rollback of *where* if *live* is not the version it was built on.

    Returns True if one was superseded; its case is then due to be looked at again. One that
    is being executed is left alone: the executor reads live itself.
    """
    rollback = await tx.rollbacks.open_of(where)
    if rollback is None or rollback.state not in _NOT_STARTED:
        return False
    rollback = await tx.rollbacks.get(rollback.id, lock=True)
    leg = rollback.leg_of(where)
    if leg is None or rollback.state not in _NOT_STARTED:
        return False
    if leg.live_external_id == live.target_id and leg.live_root == live.root:
        return False
    back_already = live.root == leg.expected_root and not rollback.joint
    code = OutcomeCode.ALREADY_LIVE if back_already else OutcomeCode.LIVE_CHANGED
    await supersede(tx, rollback, code)
    return True


async def supersede(tx: Transaction, rollback: Rollback, code: OutcomeCode) -> Case:
    """Supersede *rollback* and say so in its thread; return the case.

    The case is due to be looked at again, unless the candidate is live already, or it was a drill
    that is over.

    Raises:
        Stale: The rollback moved on since it was read.
    """
    now = await tx.now()
    ended = await tx.rollbacks.save(
        approval.supersede(rollback, code, at=now, facts={}),
        was=rollback.revision,
        entry=AuditDraft(
            user_id="keyturn",
            action="rollback.superseded",
            resource=f"rollback/{rollback.id}",
            status="ok",
            what={"app": ", ".join(str(leg.where) for leg in rollback.legs), "outcome": code},
            ip_note="Keyturn itself",
        ),
    )
    case = await tx.cases.get(rollback.case_id, lock=True)
    nothing_left = code in _NOTHING_LEFT | _DRILL_OVER
    again = None if nothing_left else now
    case = await tx.cases.save(replace(case, assess_at=again), was=case.revision)
    await tx.outbox.put(card_row(case, moved(ended)))
    facts: dict[str, Json] = {
        "outcome": code,
        "facts": {},
        "seconds": None,
        "rollback": ended.id,
    }
    await tx.outbox.put(note_row(case, NoteCode.ENDED, facts, moved(ended)))
    if nothing_left:
        await over(tx, case, ended)
    return case
