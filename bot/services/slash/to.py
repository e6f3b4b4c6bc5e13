"""`/rollback to`: a person asks for a version by name."""

from __future__ import annotations

from typing import Protocol

from bot.domain.commands import To
from bot.domain.words import AnswerCode
from bot.ports.people import Member
from bot.ports.store import Store
from bot.services.asker import Asker
from bot.services.hearing import Hearing
from bot.services.received import Words
from store.records import AppEnv, Rollback

_NEWEST = 200  # rollbacks among which the one that this command opened is looked for


class Ask(Protocol):
    """Opens a rollback for the person who asked; raises the `Refused` that says why not."""

    async def __call__(
        self,
        where: AppEnv,
        number: int,
        *,
        by: Member,
        channel: str,
        response_url: str,
        reason: str = "",
    ) -> Rollback: ...


class Asking:
    """Opens rollbacks that people ask for."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask

    async def __call__(self, hearing: Hearing, words: Words, asked: To, asker: Asker) -> None:
        """Open the rollback unless this very command did, and say so.

        Raises:
            Refused, UpstreamDown, UpstreamRefused: It was not opened.
        """
        member = asker.must_be_member()
        if not await self._opened_before(hearing, asked, member):
            await self._ask(
                asked.where,
                asked.number,
                by=member,
                channel=words.channel,
                response_url=words.response_url,
                reason=asked.reason,
            )
        async with self._store.write() as tx:
            facts = {"where": str(asked.where), "number": asked.number}
            await hearing.answer(tx, AnswerCode.ASKED, facts)
            await hearing.finish(tx, "asked")

    async def _opened_before(self, hearing: Hearing, asked: To, by: Member) -> bool:
        """Whether this very command opened its rollback before its item could be finished."""
        async with self._store.read() as tx:
            since = [
                rollback
                for rollback in await tx.rollbacks.newest(limit=_NEWEST)
                if rollback.leg.where == asked.where
                and rollback.requested_by == by.person
                and rollback.opened_at >= hearing.item.received_at
            ]
            numbers = [(await tx.versions.get(r.leg.to_version_id)).number for r in since]
        return asked.number in numbers
