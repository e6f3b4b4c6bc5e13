"""Break-glass: one person starts an open rollback alone, from its card or by a command.

Slack is asked afresh who they are, outside any transaction; then one transaction judges, stores
the moved rollback with its audit entry, and queues the card and the alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain import button, drill, glass, quorum
from bot.domain.button import Claim
from bot.domain.commands import BreakGlass
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import KeyturnPaused, NothingToBreak, OutOfDate, Refused
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker, Reception
from bot.services.ballot import on_its_card, pressed_on
from bot.services.hearing import Hearing, Matter
from bot.services.outgoing import card_row, glass_row, moved
from bot.services.received import Press
from store.records import AppEnv, Case, Glass, Json, Rollback

ACTION = "break_glass"  # the button's, and what its value is signed for


class Emergency:
    """Judges who breaks the glass."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        *,
        keys: Sequence[bytes],
        policy_of: Callable[[AppEnv], Policy],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._reception = reception
        self._keys = keys
        self._policy_of = policy_of
        self._nudge = nudge

    async def press(self, hearing: Hearing, press: Press) -> None:
        """Break the glass for who sent the form that the card's button opened, or refuse.

        Raises:
            UpstreamDown: Slack cannot say who this is; nothing was decided.
        """
        found = await pressed_on(self._store, press)
        if found is None:
            await self._unknown(hearing)
            return
        claim, seen, of = found
        asker = await self._asker(hearing, seen, of)
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(claim.rollback_id, lock=True)
            case = await tx.cases.get(rollback.case_id)
            matter = _matter(rollback, asker, press.reason)
            try:
                button.verify(claim, ACTION, rollback, keys=self._keys)
                on_its_card(press, case)
                after = await self._broken(tx, rollback, asker, press.reason, claim, way="card")
            except Refused as error:
                await hearing.refuse(tx, asker, error, matter)
                return
            await self._store_it(tx, hearing, case, after, matter)
        self._nudge()

    async def command(self, hearing: Hearing, asked: BreakGlass) -> None:
        """Break the glass of the open rollback of an app for who typed the command.

        What they saw when they typed is a rollback whose card stood by then: one that was opened
        afterwards is not what they meant.

        Raises:
            Refused: Why not; nothing changed.
            UpstreamDown, UpstreamRefused: Slack cannot say who this is.
        """
        async with self._store.read() as tx:
            seen = await tx.rollbacks.open_of(asked.where)
            if seen is None:
                raise NothingToBreak(str(asked.where))
            of = await tx.cases.get(seen.case_id)
        asker = await self._asker(hearing, seen, of)
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(seen.id, lock=True)
            case = await tx.cases.get(rollback.case_id)
            if not case.card_ts or rollback.opened_at > hearing.item.received_at:
                raise OutOfDate(f"rollback {rollback.id} was not shown when this was typed")
            claim = Claim(rollback.id, rollback.round, rollback.nonce, "")
            after = await self._broken(tx, rollback, asker, asked.reason, claim, way="command")
            await self._store_it(tx, hearing, case, after, _matter(rollback, asker, asked.reason))
        self._nudge()

    # -- how ------------------------------------------------------------------------------------

    async def _asker(self, hearing: Hearing, rollback: Rollback, case: Case) -> Asker:
        entries = rollback.policy.break_glass
        return await self._reception.of(hearing.item, entries, channel=case.channel)

    async def _unknown(self, hearing: Hearing) -> None:
        asker = await self._reception.of(hearing.item)
        matter = Matter("rollback.break_glass", "rollback/unknown")
        async with self._store.write() as tx:
            await hearing.refuse(tx, asker, OutOfDate("no button of ours"), matter)

    async def _broken(
        self,
        tx: Transaction,
        rollback: Rollback,
        asker: Asker,
        reason: str,
        claim: Claim,
        *,
        way: str,
    ) -> Rollback:
        if await tx.pause.current() is not None:
            raise KeyturnPaused(f"the glass of rollback {rollback.id} is not broken now")
        at = await tx.now()
        said = Glass(
            person=asker.facts.person,
            slack_id=asker.slack_id,
            team_id=asker.facts.team_id,
            reason=reason,
            digest=rollback.content_digest,  # of a button the MAC has proved that it was shown
            round=claim.round,
            nonce=claim.nonce,
            at=at,
            way=way,
        )
        return glass.shatter(
            rollback,
            said,
            at=at,
            claim=claim,
            why_not=asker.why_no_glass(rollback.policy),
            frozen=any(
                self._policy_of(leg.where).freeze.until(at) is not None for leg in rollback.legs
            ),
        )

    async def _store_it(
        self, tx: Transaction, hearing: Hearing, case: Case, after: Rollback, matter: Matter
    ) -> None:
        old = await tx.versions.get(after.leg.from_version_id)
        new = await tx.versions.get(after.leg.to_version_id)
        how: dict[str, Json] = {"way": after.glass[-1].way, "in_freeze": after.glass[-1].in_freeze}
        entry = hearing.entry(matter, "ok", state=after.state, **how)
        saved = await tx.rollbacks.save(after, was=after.revision - 1, entry=entry)
        await tx.outbox.put(card_row(case, moved(saved)))
        told: dict[str, Json] = {
            "where": str(after.leg.where),
            "old": old.number,
            "new": new.number,
            "also": [str(leg.where) for leg in after.legs[1:]],
            "approved": quorum.reached(after),
            **drill.mark(saved),
        }
        await tx.outbox.put(glass_row(case, saved, told))
        await hearing.answer(tx, AnswerCode.YOU_BROKE_GLASS, told)
        await hearing.finish(tx, ACTION)


def _matter(rollback: Rollback, asker: Asker, reason: str) -> Matter:
    return Matter(
        action="rollback.break_glass",
        resource=f"rollback/{rollback.id}",
        what={
            "app": ", ".join(str(leg.where) for leg in rollback.legs),
            "reason": reason,
            "round": rollback.round,
            "nonce": rollback.nonce,
            "digest": rollback.content_digest,
            "person": asker.facts.person,
            "groups": list(asker.in_groups),
            **drill.mark(rollback),
        },
        case_id=rollback.case_id,
    )
