"""`/rollback take-back` and `withdraw`: what people take back that is their own."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import approval, quorum
from bot.domain.commands import TakeBack, Withdraw
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import NothingOpen
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker
from bot.services.drill.ending import over
from bot.services.hearing import Hearing, Matter
from bot.services.outgoing import card_row, ended_facts, moved, note_row
from store.records import Case, Json, Rollback, State


class Own:
    """Takes votes and requests back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self, hearing: Hearing, asked: TakeBack | Withdraw, asker: Asker, matter: Matter
    ) -> None:
        """Do it for the person who gave the vote or asked for the rollback, and say so.

        Raises:
            NothingOpen: No rollback of the app is open.
            NoVote, NotAllowed: There is nothing of theirs in it.
            AlreadyDecided, RollbackExpired: It is too late.
        """
        by = asker.must_be_member()
        async with self._store.write() as tx:
            found = await tx.rollbacks.open_of(asked.where)
            if found is None:
                raise NothingOpen(str(asked.where))
            before = await tx.rollbacks.get(found.id, lock=True)
            case = await tx.cases.get(before.case_id)
            at, matter = await tx.now(), replace(matter, resource=f"rollback/{before.id}")
            if isinstance(asked, TakeBack):
                after = approval.take_back(before, person=by.person, at=at)
            else:
                after = approval.withdraw(before, person=by.person, slack_id=by.slack_id, at=at)
            entry = hearing.entry(matter, "ok", state=after.state, digest=before.content_digest)
            saved = await tx.rollbacks.save(after, was=before.revision, entry=entry)
            await tx.outbox.put(card_row(case, moved(saved)))
            await self._tell(tx, hearing, case, saved)

    async def _tell(self, tx: Transaction, hearing: Hearing, case: Case, saved: Rollback) -> None:
        where = str(case.where)
        if saved.state is State.WITHDRAWN:
            await tx.outbox.put(note_row(case, NoteCode.ENDED, ended_facts(saved), moved(saved)))
            await over(tx, case, saved)
            to = await tx.versions.get(saved.leg.to_version_id)
            told: dict[str, Json] = {"where": where, "number": to.number}
            await hearing.answer(tx, AnswerCode.YOU_WITHDREW, told)
            await hearing.finish(tx, "withdrawn")
            return
        facts: dict[str, Json] = {
            "count": len(quorum.approvals(saved)),
            "needed": quorum.needed(saved),
        }
        by = {"slack_id": hearing.item.slack_id}
        note = note_row(case, NoteCode.VOTE_TAKEN_BACK, {**facts, **by}, moved(saved))
        await tx.outbox.put(note)
        await hearing.answer(tx, AnswerCode.TAKEN_BACK, {**facts, "where": where})
        await hearing.finish(tx, "taken_back")
