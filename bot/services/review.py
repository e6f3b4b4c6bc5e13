"""The review that break-glass forces: two others sign, from its message or by a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain import button, drill, glass
from bot.domain.commands import Review
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import KeyturnPaused, NothingToReview, OutOfDate, Refused
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker, Reception
from bot.services.ballot import pressed_on
from bot.services.hearing import Hearing, Matter
from bot.services.outgoing import card_row, moved, note_row
from bot.services.received import Press
from store.records import AppEnv, AuditDraft, Case, Json, PolicySnapshot, Rollback, Signature

ACTION = "sign_review"  # the button's, and what its value is signed for
MOST = 10_000  # reviews that may be open at once and are all looked at


class Reviewing:
    """Takes signatures; who may sign is whom the policy in force lets vote."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        *,
        keys: Sequence[bytes],
        policy_of: Callable[[AppEnv], Policy],
    ) -> None:
        self._store = store
        self._reception = reception
        self._keys = keys
        self._policy_of = policy_of

    async def press(self, hearing: Hearing, press: Press) -> None:
        """Sign for who sent the form that a review's button opened, or refuse.

        Raises:
            UpstreamDown: Slack cannot say who this is; nothing was decided.
        """
        found = await pressed_on(self._store, press)
        if found is None:
            asker = await self._reception.of(hearing.item)
            async with self._store.write() as tx:
                matter = Matter("review.sign", "rollback/unknown")
                await hearing.refuse(tx, asker, OutOfDate("no button of ours"), matter)
            return
        claim, _, of = found
        rules, asker = await self._asker(hearing, of)
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(claim.rollback_id, lock=True)
            case = await tx.cases.get(rollback.case_id)
            try:
                button.verify(claim, ACTION, rollback, keys=self._keys)
                if press.channel != case.channel:
                    raise OutOfDate(f"not pressed in the channel of case {case.id}")
                await self._sign(tx, hearing, case, rollback, rules, asker, press.reason)
            except Refused as error:
                await hearing.refuse(tx, asker, error, _matter(rollback, asker, press.reason))

    async def command(self, hearing: Hearing, asked: Review) -> None:
        """Sign the oldest open review of an app that who typed the command has not signed.

        Raises:
            Refused: Why not; nothing changed.
            UpstreamDown, UpstreamRefused: Slack cannot say who this is.
        """
        async with self._store.read() as tx:
            waiting = await tx.rollbacks.to_review(limit=MOST)
            of_app = [rollback for rollback in waiting if rollback.leg_of(asked.where)]
            if not of_app:
                raise NothingToReview(str(asked.where))
            case = await tx.cases.get(of_app[0].case_id)
        rules, asker = await self._asker(hearing, case)
        theirs = [one for one in of_app if _signed_by(one, asker)]
        mine = next((one for one in of_app if one not in theirs), of_app[0])
        async with self._store.write() as tx:
            rollback = await tx.rollbacks.get(mine.id, lock=True)
            case = await tx.cases.get(rollback.case_id)
            await self._sign(tx, hearing, case, rollback, rules, asker, asked.remark)

    # -- how ------------------------------------------------------------------------------------

    async def _asker(self, hearing: Hearing, case: Case) -> tuple[PolicySnapshot, Asker]:
        rules = self._policy_of(case.where).snapshot()
        asker = await self._reception.of(hearing.item, rules.voters, channel=case.channel)
        return rules, asker

    async def _sign(
        self,
        tx: Transaction,
        hearing: Hearing,
        case: Case,
        before: Rollback,
        rules: PolicySnapshot,
        asker: Asker,
        remark: str,
    ) -> None:
        if await tx.pause.current() is not None:
            raise KeyturnPaused(f"the review of rollback {before.id} is not signed now")
        at = await tx.now()
        after = glass.sign(
            before,
            Signature(asker.facts.person, asker.slack_id, asker.facts.team_id, at, remark),
            at=at,
            why_not=asker.why_no_signature(rules),
        )
        count = len(after.signatures)
        matter = _matter(before, asker, remark)
        entry = hearing.entry(matter, "ok", count=count, needed=glass.SIGNATURES)
        saved = await tx.rollbacks.save(after, was=before.revision, entry=entry)
        if saved.reviewed_at is not None:
            await tx.audit.append(_closed(saved))
        await tx.outbox.put(card_row(case, moved(saved)))
        await self._tell(tx, hearing, case, saved)

    async def _tell(self, tx: Transaction, hearing: Hearing, case: Case, saved: Rollback) -> None:
        newest = saved.signatures[-1]
        facts: dict[str, Json] = {
            "slack_id": newest.slack_id,
            "remark": newest.remark,
            "count": len(saved.signatures),
            "needed": glass.SIGNATURES,
        }
        code = NoteCode.REVIEW_SIGNED
        if saved.reviewed_at is not None:
            code = NoteCode.REVIEW_CLOSED
            facts["signed"] = [signature.slack_id for signature in saved.signatures]
        await tx.outbox.put(note_row(case, code, facts, moved(saved)))
        told = {"where": str(case.where), "count": facts["count"], "needed": facts["needed"]}
        await hearing.answer(tx, AnswerCode.YOU_SIGNED, told)
        await hearing.finish(tx, code.value)


def _signed_by(rollback: Rollback, asker: Asker) -> bool:
    """Whether *asker* has had their say about *rollback*: signed, or broke the glass themselves."""
    signed = {signature.person for signature in rollback.signatures}
    broke = {rollback.broken_by.person} if rollback.broken_by else set()
    return asker.facts.person in signed | broke


def _matter(rollback: Rollback, asker: Asker, remark: str) -> Matter:
    what: dict[str, Json] = {
        "app": str(rollback.leg.where),
        "digest": rollback.content_digest,
        "person": asker.facts.person,
        "groups": list(asker.in_groups),
    }
    if remark:
        what["remark"] = remark
    what |= drill.mark(rollback)
    return Matter("review.sign", f"rollback/{rollback.id}", what, rollback.case_id)


def _closed(rollback: Rollback) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action="review.close",
        resource=f"rollback/{rollback.id}",
        status="ok",
        what={
            "app": str(rollback.leg.where),
            "signed_by": [signature.person for signature in rollback.signatures],
            **drill.mark(rollback),
        },
        ip_note="Keyturn itself",
    )


def opened(rollback: Rollback) -> AuditDraft:
    """Return the audit entry of the review that *rollback*, which ran by break-glass, needs."""
    broken = rollback.broken_by
    return AuditDraft(
        user_id="keyturn",
        action="review.open",
        resource=f"rollback/{rollback.id}",
        status="ok",
        what={
            "app": str(rollback.leg.where),
            "broken_by": broken.person if broken else "",
            **drill.mark(rollback),
        },
        ip_note="Keyturn itself",
    )
