"""Votes: a pressed button becomes a vote on one exact content, or a reason why not.

Slack is asked first, outside any transaction. Then one transaction locks the rollback, takes
the time from the database, judges, and stores vote, audit entry, card, note and answer together:
two clicks at the same instant are judged one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot import spans
from bot.domain import approval, button, drill, policy, quorum
from bot.domain.button import Claim
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import BadInput, KeyturnPaused, OutOfDate, Refused, UpstreamDown
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker, Reception
from bot.services.drill.ending import over
from bot.services.hearing import Hearing, Matter
from bot.services.outgoing import card_row, ended_facts, moved, note_row
from bot.services.received import Press
from store.records import Case, Choice, Json, Missing, Rollback, State, Vote

_NOBODYS = "rollback/unknown"  # what a value that names no rollback of ours was about


@dataclass(frozen=True)
class _Pressed:
    """A press with what it claims."""

    press: Press
    claim: Claim
    action: str  # what the button was signed for
    choice: Choice | None = None

    def matter(self, case_id: int = 0, **what: Json) -> Matter:
        verb = f"vote.{self.choice}" if self.choice else "difference.see"
        if self.press.reason:
            what = {**what, "reason": self.press.reason}
        return Matter(
            action=verb,
            resource=f"rollback/{self.claim.rollback_id}",
            what={"round": self.claim.round, **what},
            case_id=case_id,
        )


class Ballot:
    """Judges what people press on a card."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        *,
        keys: Sequence[bytes],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._reception = reception
        self._keys = keys
        self._nudge = nudge

    async def vote(self, hearing: Hearing, press: Press, choice: Choice) -> None:
        """Count one vote, withdraw for the requester who rejects, or refuse.

        Raises:
            UpstreamDown: Slack cannot say who this is; nothing was decided.
        """
        pressed = _read(press, choice.value, choice)
        found = await self._find(pressed) if pressed else None
        if pressed is None or found is None:
            await self._unknown(hearing, pressed)
            return
        rollback, case = found
        with spans.span(
            "vote",
            of=spans.case(case.id),
            began=hearing.item.received_at,
            rollback=rollback.id,
            choice=choice,
        ) as span:
            asker = await self._reception.of(
                hearing.item, rollback.policy.voters, channel=case.channel
            )
            async with self._store.write() as tx:
                saved = await self._decide(tx, hearing, pressed, asker)
            span.add(state=saved.state if saved is not None else "refused")
        if saved is not None and saved.state is State.APPROVED:
            self._nudge()

    async def difference(self, hearing: Hearing, press: Press) -> None:
        """Show the difference to one person, if the policy lets them see it."""
        pressed = _read(press, "difference", None)
        found = await self._find(pressed) if pressed else None
        if pressed is None or found is None:
            await self._unknown(hearing, pressed)
            return
        rollback, case = found
        asker = await self._reception.of(hearing.item, policy.seen_by(rollback.policy))
        async with self._store.write() as tx:
            try:
                self._genuine(pressed, rollback, case)
                asker.must_see(rollback.policy)
            except Refused as error:
                card = case.id if asker.sees(rollback.policy) else 0  # no way to what is hidden
                await hearing.refuse(tx, asker, error, pressed.matter(card))
                return
            facts = {"rollback_id": rollback.id, "case_id": case.id, "place": press.place}
            await hearing.answer(tx, AnswerCode.DIFFERENCE, facts)
            await hearing.finish(tx, "shown")

    # -- what was pressed -----------------------------------------------------------------------

    async def _find(self, pressed: _Pressed) -> tuple[Rollback, Case] | None:
        return await claimed(self._store, pressed.claim)

    async def _unknown(self, hearing: Hearing, pressed: _Pressed | None) -> None:
        asker = await self._reception.of(hearing.item)
        matter = pressed.matter() if pressed else Matter("button.press", _NOBODYS)
        async with self._store.write() as tx:
            await hearing.refuse(tx, asker, OutOfDate("no button of ours"), matter)

    def _genuine(self, pressed: _Pressed, rollback: Rollback, case: Case) -> None:
        """Raise `OutOfDate` unless our key made the button and it is on the case's one card."""
        button.verify(pressed.claim, pressed.action, rollback, keys=self._keys)
        on_its_card(pressed.press, case)

    # -- the decision ---------------------------------------------------------------------------

    async def _decide(
        self, tx: Transaction, hearing: Hearing, pressed: _Pressed, asker: Asker
    ) -> Rollback | None:
        rollback = await tx.rollbacks.get(pressed.claim.rollback_id, lock=True)
        case = await tx.cases.get(rollback.case_id)
        matter = pressed.matter(
            case.id,
            app=str(case.where),
            digest=rollback.content_digest,
            person=_person(asker),
            groups=list(asker.in_groups),
            **drill.mark(rollback),
        )
        try:
            self._genuine(pressed, rollback, case)
            if await tx.pause.current() is not None:
                raise KeyturnPaused(f"rollback {rollback.id} takes no votes now")
            after = _judged(rollback, pressed, asker, at=await tx.now())
        except Refused as error:
            await hearing.refuse(tx, asker, error, matter)
            return None
        return await self._store_it(tx, hearing, case, rollback, after, matter)

    async def _store_it(
        self,
        tx: Transaction,
        hearing: Hearing,
        case: Case,
        before: Rollback,
        after: Rollback,
        matter: Matter,
    ) -> Rollback:
        count, needed = len(quorum.approvals(after)), quorum.needed(after)
        if after.state is State.WITHDRAWN:
            matter = Matter("rollback.withdraw", matter.resource, matter.what)
        entry = hearing.entry(matter, "ok", state=after.state, count=count, needed=needed)
        saved = await tx.rollbacks.save(after, was=before.revision, entry=entry)
        await tx.outbox.put(card_row(case, moved(saved)))
        code, facts = _note(saved, hearing.item.slack_id)
        await tx.outbox.put(note_row(case, code, facts, moved(saved)))
        await over(tx, case, saved)
        if code in _ANSWERS:
            told = {**facts, "where": str(case.where), **drill.mark(saved)}
            await hearing.answer(tx, _ANSWERS[code], told)
        await hearing.finish(tx, code.value)
        return saved


async def claimed(store: Store, claim: Claim) -> tuple[Rollback, Case] | None:
    """Return the rollback that *claim* names, with its case; None where there is no such.

    Raises:
        UpstreamDown: Its card was posted a moment ago, and its place is being stored.
    """
    async with store.read() as tx:
        try:
            rollback = await tx.rollbacks.get(claim.rollback_id)
        except Missing:
            return None
        case = await tx.cases.get(rollback.case_id)
    if not case.card_ts:
        raise UpstreamDown("slack", f"the card of case {case.id} has no place yet")
    return rollback, case


async def pressed_on(store: Store, press: Press) -> tuple[Claim, Rollback, Case] | None:
    """Return what *press* claims, with its rollback and case; None for a button none of ours.

    Nothing is proved by it yet: `button.verify` does that, in the transaction that decides.

    Raises:
        UpstreamDown: As `claimed`.
    """
    try:
        claim = button.read(press.value)
    except BadInput:
        return None
    found = await claimed(store, claim)
    return (claim, *found) if found else None


def on_its_card(press: Press, case: Case) -> None:
    """Raise `OutOfDate` unless *press* was on *case*'s one card."""
    if (press.channel, press.ts) != (case.channel, case.card_ts):
        raise OutOfDate(f"pressed on a message that is not the card of case {case.id}")


def _read(press: Press, action: str, choice: Choice | None) -> _Pressed | None:
    try:
        return _Pressed(press, button.read(press.value), action, choice)
    except BadInput:
        return None


def _judged(rollback: Rollback, pressed: _Pressed, asker: Asker, *, at: datetime) -> Rollback:
    person = _person(asker)
    if pressed.choice is Choice.REJECT and person == rollback.requested_by:
        asker.must_be_member()
        return approval.withdraw(rollback, person=person, slack_id=asker.slack_id, at=at)
    vote = Vote(
        person=person,
        slack_id=asker.slack_id,
        team_id=asker.facts.team_id,
        choice=pressed.choice or Choice.REJECT,
        digest=rollback.content_digest,  # the button's MAC has proved that it was shown
        at=at,
        groups=asker.in_groups,
        reason=pressed.press.reason,
    )
    why_not = asker.why_no_vote(rollback.policy)
    return approval.cast(rollback, vote, at=at, claim=pressed.claim, why_not=why_not)


_ANSWERS = {
    NoteCode.VOTE_APPROVED: AnswerCode.VOTE_COUNTED,
    NoteCode.VOTE_AGAINST: AnswerCode.VOTED_AGAINST,
}


def _note(rollback: Rollback, slack_id: str) -> tuple[NoteCode, dict[str, Json]]:
    """The reply in the thread: one for a vote, one for the end by the requester."""
    if rollback.state is State.WITHDRAWN:
        return NoteCode.ENDED, ended_facts(rollback)
    newest = rollback.votes[-1]
    if newest.choice is Choice.REJECT:
        facts: dict[str, Json] = {"slack_id": slack_id, "reason": newest.reason}
        if rollback.state is State.REJECTED:
            return NoteCode.VOTE_REJECTED, facts
        count = len(quorum.rejects(rollback))
        return NoteCode.VOTE_AGAINST, {**facts, "count": count, "vetoes": rollback.policy.vetoes}
    approvals = quorum.approvals(rollback)
    return NoteCode.VOTE_APPROVED, {
        "slack_id": slack_id,
        "count": len(approvals),
        "needed": quorum.needed(rollback),
        "missing": list(quorum.unrepresented(rollback, approvals)),
    }


def _person(asker: Asker) -> str:
    return asker.facts.person
