"""What people type: help, status, and asking for a rollback by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from bot.domain import commands, policy
from bot.domain.commands import Help, Status, To
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import Refused, UpstreamDown, UpstreamRefused
from bot.ports.people import Member
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker, Reception
from bot.services.hearing import Hearing, Matter
from bot.services.received import Words
from store.records import OPEN_STATES, AppEnv, Json, PolicySnapshot, Rollback

MOST_ROWS = 20


class Ask(Protocol):
    """Opens a rollback for the person who asked; raises the `Refused` that says why not."""

    async def __call__(
        self, where: AppEnv, number: int, *, by: Member, channel: str, response_url: str
    ) -> Rollback: ...


class Commanded:
    """Carries out slash commands."""

    def __init__(
        self,
        store: Store,
        reception: Reception,
        ask: Ask,
        *,
        policy_of: Callable[[AppEnv], Policy],
    ) -> None:
        self._store = store
        self._reception = reception
        self._ask = ask
        self._policy_of = policy_of

    async def __call__(self, hearing: Hearing, words: Words) -> None:
        """Do what *words* ask for, or say why not.

        Raises:
            UpstreamDown: Slack or the target cannot say now; the sender was told once.
        """
        try:
            asked = commands.parse(words.text)
        except Refused as error:
            await self._refuse(hearing, await self._reception.of(hearing.item), error)
            return
        match asked:
            case Help():
                await self._help(hearing)
            case Status():
                await self._status(hearing)
            case To():
                await self._to(hearing, words, asked)

    async def _help(self, hearing: Hearing) -> None:
        async with self._store.write() as tx:
            await hearing.answer(tx, AnswerCode.HELP, {})
            await hearing.finish(tx, "help")

    async def _refuse(self, hearing: Hearing, asker: Asker, error: Refused) -> None:
        """Answer somebody whom no rule about an app has refused: told, not recorded."""
        async with self._store.write() as tx:
            matter = Matter("command", "command")
            await hearing.refuse(tx, asker, error, matter, recorded=False)

    # -- status -------------------------------------------------------------------------------

    async def _status(self, hearing: Hearing) -> None:
        async with self._store.read() as tx:
            known = sorted(await tx.versions.newest_external_ids())
        rules = {where: self._policy_of(where).snapshot() for where in known}
        entries = (policy.seen_by(snapshot) for snapshot in rules.values())
        asker = await self._reception.of(hearing.item, *entries)
        try:
            asker.must_be_member()
        except Refused as error:
            await self._refuse(hearing, asker, error)
            return
        seen = [where for where in known if _sees(asker, rules[where])]
        async with self._store.read() as tx:
            rows = await _rows(tx, seen)
        async with self._store.write() as tx:
            await hearing.answer(tx, AnswerCode.STATUS, {"rows": rows})
            await hearing.finish(tx, "status")

    # -- to -------------------------------------------------------------------------------------

    async def _to(self, hearing: Hearing, words: Words, asked: To) -> None:
        asker = await self._reception.of(hearing.item)
        person = asker.facts.person
        what = {"app": str(asked.where), "number": asked.number, "person": person}
        matter = Matter("rollback.ask", f"app/{asked.where}", what)
        try:
            await self._open(hearing, words, asked, asker)
        except Refused as error:
            async with self._store.write() as tx:
                await hearing.refuse(tx, asker, error, matter)
        except UpstreamRefused as error:
            async with self._store.write() as tx:
                await hearing.fail(tx, error, matter)
        except UpstreamDown as error:
            await self._wait(hearing, error)
            raise
        else:
            async with self._store.write() as tx:
                facts = {"where": str(asked.where), "number": asked.number}
                await hearing.answer(tx, AnswerCode.ASKED, facts)
                await hearing.finish(tx, "asked")

    async def _open(self, hearing: Hearing, words: Words, asked: To, asker: Asker) -> None:
        member = asker.must_be_member()
        if await self._opened_before(hearing, asked, member):
            return
        await self._ask(
            asked.where,
            asked.number,
            by=member,
            channel=words.channel,
            response_url=words.response_url,
        )

    async def _opened_before(self, hearing: Hearing, asked: To, by: Member) -> bool:
        """Whether this very command opened its rollback before its item could be finished."""
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.open_of(asked.where)
            if rollback is None or rollback.requested_by != by.person:
                return False
            to = await tx.versions.get(rollback.leg.to_version_id)
        return to.number == asked.number and rollback.opened_at >= hearing.item.received_at

    async def _wait(self, hearing: Hearing, error: UpstreamDown) -> None:
        """Say once that it takes longer; a person who hears nothing asks again."""
        async with self._store.write() as tx:
            facts = {"text": error.to_person()}
            await hearing.answer(tx, AnswerCode.REFUSED, facts, part="waiting")


def _sees(asker: Asker, rules: PolicySnapshot) -> bool:
    return policy.may_see(asker.facts, policy=rules, groups=asker.groups, team_id=asker.team_id)


async def _rows(tx: Transaction, seen: Iterable[AppEnv]) -> list[Json]:
    """One row an app, those with an open rollback first; at most `MOST_ROWS`."""
    running = {r.leg.where: r for r in await tx.rollbacks.in_states(sorted(OPEN_STATES))}
    first = sorted(seen, key=lambda where: (where not in running, where))
    return [await _row(tx, where, running.get(where)) for where in first[:MOST_ROWS]]


async def _row(tx: Transaction, where: AppEnv, rollback: Rollback | None) -> Json:
    live = await tx.versions.newest(where)
    oldest = await tx.versions.import_mark(where)
    return {
        "where": str(where),
        "number": live.number if live else None,
        "published_at": live.published_at.isoformat() if live else "",
        "rollback": rollback.id if rollback else 0,
        "state": rollback.state.value if rollback else "",
        "case_id": rollback.case_id if rollback else 0,
        "not_imported": (oldest or 1) - 1,
    }
