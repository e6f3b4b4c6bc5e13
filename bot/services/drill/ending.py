"""A drill ends: its alert is over, and its thread is told how long each part of the way took."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import approval, drill
from bot.domain.words import NoteCode
from bot.ports.store import Transaction
from bot.services.outgoing import moved, note_row
from store.records import Case, FiringStatus, Rollback, State


async def over(tx: Transaction, case: Case, rollback: Rollback) -> None:
    """End the drill that *rollback*, as it is stored now, was opened in.

    Nothing happens for one that is none or is still open. Where it was carried out, how it went is
    told once it was seen whether that helped, as of every rollback.
    """
    if not rollback.drill or rollback.open:
        return
    await silence(tx, case)
    if not rollback.watched:
        firings = await tx.alerts.of_case(case.id)
        facts = drill.report(rollback, case, firings, at=await tx.now())
        await tx.outbox.put(note_row(case, NoteCode.DRILL_OVER, facts, moved(rollback)))


async def unsuggested(tx: Transaction, case: Case, *, why: str = "") -> None:
    """End the drill of *case*, in which there is nothing to vote on.

    *why* is the code of an outcome; without one the finding says it.
    """
    await silence(tx, case)
    firings = await tx.alerts.of_case(case.id)
    facts = drill.report(None, case, firings, at=await tx.now())
    facts |= {"outcome": why} if why else {}
    cause = f"{case.id}:{max(firing.id for firing in firings)}"
    await tx.outbox.put(note_row(case, NoteCode.DRILL_OVER, facts, cause))


async def silence(tx: Transaction, case: Case) -> None:
    """Let the alerts of drills in *case* end, as Alertmanager would say it."""
    for firing in await tx.alerts.of_case(case.id):
        if drill.goes_on([firing]):
            await tx.alerts.take(drill.ended(firing, at=await tx.now()))


async def hand_over(tx: Transaction, case: Case, rollback: Rollback) -> Case:
    """Let *case* be looked at for the real alerts that came while the drill *rollback* ran."""
    firings = drill.real(await tx.alerts.of_case(case.id))
    if not rollback.drill or all(one.status is not FiringStatus.FIRING for one in firings):
        return case
    return await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)


def may_give_way(rollback: Rollback) -> bool:
    """Whether *rollback* is a drill that has not begun to change anything."""
    return rollback.drill and rollback.state in {State.DRAFT, *approval.NOT_STARTED}
