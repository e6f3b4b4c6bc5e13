"""Undo: back to what was live before a rollback, asked for by the button of its card or by a word.

It is a request like any other: who asks for it becomes its requester, and others have to approve.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.domain import button, legs, policy
from bot.domain.commands import To, Undo
from bot.domain.words import AnswerCode
from bot.errors import (
    BadInput,
    LiveIsAnother,
    NothingToUndo,
    OutOfDate,
    Refused,
    UndoReasonMissing,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store
from bot.services.asker import Asker, Reception
from bot.services.hearing import Hearing, Matter
from bot.services.received import Press, Words
from bot.services.slash.snapshot import Refresh
from bot.services.slash.to import Asking
from store.records import Case, Leg, Missing, Rollback, State

_EVER = datetime.min.replace(tzinfo=UTC)
_NOBODYS = "rollback/unknown"


class Undoing:
    """Asks for the way back from rollbacks that were carried out."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        asking: Asking,
        refresh: Refresh,
        *,
        keys: Sequence[bytes],
    ) -> None:
        """Take what asking needs; any of *keys* may have signed the button."""
        self._store = store
        self._reception = reception
        self._asking = asking
        self._refresh = refresh
        self._keys = keys

    async def pressed(self, hearing: Hearing, press: Press) -> None:
        """Do what the sent form of a card's button asks for, or say why not.

        Raises:
            UpstreamDown: Slack or the target cannot say now; the sender was told once.
        """
        found = await self._find(press)
        asker = await self._reception.of(
            hearing.item, *([policy.seen_by(found[0].policy)] if found else [])
        )
        if found is None:
            async with self._store.write() as tx:
                matter = Matter("rollback.ask", _NOBODYS)
                await hearing.refuse(tx, asker, OutOfDate("no button of ours"), matter)
            return
        rollback, case = found
        sees = asker.sees(rollback.policy)
        matter = _matter(rollback, case if sees else None, asker, press)
        try:
            self._genuine(press, rollback, case)
            asker.must_see(rollback.policy)
            if not press.reason:
                raise UndoReasonMissing(f"rollback {rollback.id} is to be undone without a reason")
            words = Words("", press.channel, press.response_url)
            await self._ask(hearing, words, rollback, asker, press.reason)
        except Refused as error:
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, matter)
        except UpstreamRefused as error:
            async with self._store.write() as tx:
                await hearing.fail(tx, error, matter)
        except UpstreamDown as error:
            async with self._store.write() as tx:
                facts = {"text": hearing.told(error)}
                await hearing.answer(tx, AnswerCode.REFUSED, facts, part="waiting")
            raise

    async def typed(self, hearing: Hearing, words: Words, asked: Undo, asker: Asker) -> None:
        """Ask for the way back from the newest rollback of the app that was carried out.

        Raises:
            NothingToUndo: There is none.
            Refused, UpstreamDown, UpstreamRefused: As asking for any version.
        """
        asker.must_be_member()
        async with self._store.read() as tx:
            done = await tx.rollbacks.completed(asked.where, since=_EVER)
        if not done:
            raise NothingToUndo(str(asked.where))
        await self._ask(hearing, words, done[-1], asker, asked.reason)

    # -- how ------------------------------------------------------------------------------------

    async def _ask(
        self, hearing: Hearing, words: Words, rollback: Rollback, asker: Asker, reason: str
    ) -> None:
        """Ask for what was live before *rollback*, if what it made live still is.

        Raises:
            LiveIsAnother: It is not.
            Refused, UpstreamDown, UpstreamRefused: As asking for any version.
        """
        brought = legs.brought(rollback)
        back = []
        for position, leg in enumerate(rollback.legs):
            made_id, _ = brought.get(position, (leg.to_version_id, ""))
            back.append((leg.where, await self._before(leg, made_id)))
        (where, number), *also = back
        await self._asking(hearing, words, To(where, number, reason), also, asker)

    async def _before(self, leg: Leg, made_id: int) -> int:
        """The number of what was live before *leg*, if what it made live still is."""
        await self._refresh(leg.where)
        async with self._store.read() as tx:
            live = await tx.versions.newest(leg.where)
            made = await tx.versions.get(made_id)
            before = await tx.versions.get(leg.from_version_id)
        if live is None or live.meaning != made.meaning:
            raise LiveIsAnother(str(leg.where), made.number, live.number if live else None)
        return before.number or 0

    async def _find(self, press: Press) -> tuple[Rollback, Case] | None:
        """The rollback and the case that *press* claims to be about; None for none of ours."""
        try:
            claim = button.read(press.value)
            async with self._store.read() as tx:
                rollback = await tx.rollbacks.get(claim.rollback_id)
                return rollback, await tx.cases.get(rollback.case_id)
        except (BadInput, Missing):
            return None

    def _genuine(self, press: Press, rollback: Rollback, case: Case) -> None:
        """Raise `OutOfDate` unless it is our button, on the one card that shows *rollback*."""
        claim = button.read(press.value)
        button.verify(claim, "undo", rollback, keys=self._keys)
        shown = (case.channel, case.card_ts, case.rollback_id, State.COMPLETED)
        if (press.channel, press.ts, rollback.id, rollback.state) != shown:
            raise OutOfDate(f"the card of case {case.id} does not show rollback {rollback.id} done")
        if claim.round != rollback.round:
            raise OutOfDate(f"an undo button of round {claim.round} of rollback {rollback.id}")


def _matter(rollback: Rollback, case: Case | None, asker: Asker, press: Press) -> Matter:
    """What is decided; *case* is None for who may not see its card."""
    what = {
        "app": str(rollback.leg.where),
        "undoes": rollback.id,
        "person": asker.facts.person,
        "reason": press.reason,
    }
    resource = f"rollback/{rollback.id}"
    return Matter("rollback.ask", resource, what, case_id=case.id if case else 0)
