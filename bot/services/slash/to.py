"""`/rollback to`: a person asks for a version by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.domain.commands import To
from bot.domain.words import AnswerCode
from bot.ports.people import Member
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker
from bot.services.hearing import Hearing
from bot.services.received import Words
from store.records import AppEnv, Json, Rollback

_NEWEST = 200  # rollbacks among which the one that this command opened is looked for


Goals = Sequence[tuple[AppEnv, int]]  # apps with the version that each is to go to


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
        also: Goals = (),
    ) -> Rollback: ...


class Asking:
    """Opens rollbacks that people ask for."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask

    async def __call__(
        self, hearing: Hearing, words: Words, asked: To, also: Goals, asker: Asker
    ) -> None:
        """Open the rollback, with those in *also*, unless this very command did, and say so.

        Raises:
            Refused, UpstreamDown, UpstreamRefused: It was not opened.
        """
        member = asker.must_be_member()
        goals = dict([(asked.where, asked.number), *also])
        if not await self._opened_before(hearing, goals, member):
            await self._ask(
                asked.where,
                asked.number,
                by=member,
                channel=words.channel,
                response_url=words.response_url,
                reason=asked.reason,
                also=also,
            )
        facts: dict[str, Json] = {"where": str(asked.where), "number": asked.number}
        if also:
            facts["also"] = [{"where": str(where), "number": number} for where, number in also]
        async with self._store.write() as tx:
            await hearing.answer(tx, AnswerCode.ASKED, facts)
            await hearing.finish(tx, "asked")

    async def _opened_before(
        self, hearing: Hearing, asked: Mapping[AppEnv, int], by: Member
    ) -> bool:
        """Whether this very command opened its rollback before its item could be finished."""
        async with self._store.read() as tx:
            since = [
                rollback
                for rollback in await tx.rollbacks.newest(limit=_NEWEST)
                if {leg.where for leg in rollback.legs} == asked.keys()
                and rollback.requested_by == by.person
                and rollback.opened_at >= hearing.item.received_at
            ]
            opened = [await self._goals(tx, rollback) for rollback in since]
        return asked in opened

    async def _goals(self, tx: Transaction, rollback: Rollback) -> dict[AppEnv, int | None]:
        found = [await tx.versions.get(leg.to_version_id) for leg in rollback.legs]
        return {version.where: version.number for version in found}
