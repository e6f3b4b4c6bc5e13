"""Versions are looked at in a dialog, before one of them is asked for as `/rollback to` does.

The dialog was opened by `/rollback` or by a card's button *Another version*. Looking changes
nothing and is not recorded; who may not is told why, there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain import button, policy
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import NotAllowed, OutOfDate, Refused, UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.services.asker import Asker, Reception
from bot.services.ballot import on_its_card, pressed_on
from bot.services.hearing import Hearing, Matter
from bot.services.received import Look, Press
from bot.services.sight import Sight
from store.records import AppEnv, Case, CaseState, Json, Missing, PolicySnapshot, Rollback, State

ACTION = "another"  # the button's, and what its value is signed for
_NOBODYS = "rollback/unknown"


class Choosing:
    """Shows the versions of an app to whoever may see it."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        sight: Sight,
        *,
        keys: Sequence[bytes],
        policy_of: Callable[[AppEnv], Policy],
    ) -> None:
        self._store = store
        self._reception = reception
        self._sight = sight
        self._keys = keys
        self._policy_of = policy_of

    async def picked(self, hearing: Hearing, look: Look) -> None:
        """Show a page of the app that was picked in the dialog, or say why not.

        Raises:
            UpstreamDown: Slack cannot say who this is.
        """
        asker = await self._reception.of(hearing.item)
        matter = Matter("history.see", f"app/{look.where}", {"app": str(look.where)})
        try:
            where = await self._sight.named(asker, look.where)
        except Refused as error:
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, matter)
            return
        except UpstreamRefused as error:
            async with self._store.write() as tx:
                await hearing.fail(tx, error, matter)
            return
        await self._show(hearing, where, look.page)

    async def pressed(self, hearing: Hearing, press: Press) -> None:
        """Show the versions of the card's app to who pressed its button, or say why not.

        Raises:
            UpstreamDown: Slack cannot say who this is, or the card has no place yet.
        """
        found = await self._find(press)
        if found is None:
            asker = await self._reception.of(hearing.item)
            async with self._store.write() as tx:
                matter = Matter("history.see", _NOBODYS)
                await hearing.refuse(tx, asker, OutOfDate("no button of ours"), matter)
            return
        case, rollback = found
        rules = self._policy_of(case.where).snapshot()
        asker = await self._reception.of(
            hearing.item, policy.seen_by(rules), policy.asked_by(rules), channel=case.channel
        )
        try:
            self._genuine(press, case, rollback)
            _must_ask(asker, rules, case.where)
        except Refused as error:
            matter = _matter(case, rollback, asker, sees=asker.sees(rules))
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, matter)
            return
        await self._show(hearing, case.where, 1)

    # -- how ------------------------------------------------------------------------------------

    async def _show(self, hearing: Hearing, where: AppEnv, page: int) -> None:
        facts: dict[str, Json] = {"where": str(where), "page": page}
        async with self._store.write() as tx:
            await hearing.answer(tx, AnswerCode.CHOICES, facts)
            await hearing.finish(tx, "shown")

    async def _find(self, press: Press) -> tuple[Case, Rollback | None] | None:
        """The case that *press* claims to be about, and its rollback; None for none of ours."""
        if (case_id := button.case_in(press.value)) is None:
            found = await pressed_on(self._store, press)
            return (found[2], found[1]) if found else None
        async with self._store.read() as tx:
            try:
                case = await tx.cases.get(case_id)
            except Missing:
                return None
        if not case.card_ts:
            raise UpstreamDown("slack", f"the card of case {case.id} has no place yet")
        return case, None

    def _genuine(self, press: Press, case: Case, rollback: Rollback | None) -> None:
        """Raise `OutOfDate` unless it is our button, as the case's one card shows it now."""
        if rollback is None:
            button.verify_case(press.value, ACTION, case, keys=self._keys)
            stands = case.rollback_id is None
        else:
            claim = button.read(press.value)
            button.verify(claim, ACTION, rollback, keys=self._keys)
            waits = rollback.state is State.PENDING_APPROVAL and claim.round == rollback.round
            stands = waits and case.rollback_id == rollback.id
        if not stands or case.state is not CaseState.OPEN:
            raise OutOfDate(f"the card of case {case.id} shows something else by now")
        on_its_card(press, case)


def _must_ask(asker: Asker, rules: PolicySnapshot, where: AppEnv) -> None:
    """Raise the `Refused` that says why *asker* may not ask for rollbacks of *where*."""
    member = asker.must_be_member()
    if asker.shared:
        raise NotAllowed(f"the channel of {where} is shared with another organisation")
    if not policy.may_ask(asker.facts, policy=rules, groups=asker.groups, team_id=asker.team_id):
        raise NotAllowed(f"{member.slack_id} may not ask for rollbacks of {where}")


def _matter(case: Case, rollback: Rollback | None, asker: Asker, *, sees: bool) -> Matter:
    """What was wanted; who may not see the card's app gets no way to it."""
    resource = f"rollback/{rollback.id}" if rollback else f"case/{case.id}"
    what: dict[str, Json] = {"app": str(case.where), "person": asker.facts.person}
    return Matter("rollback.ask", resource, what, case_id=case.id if sees else 0)
