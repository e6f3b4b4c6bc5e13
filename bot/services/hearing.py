"""One item of the inbox before its judge: answered, recorded and finished in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bot.domain.words import AnswerCode
from bot.errors import BotError, OutOfDate, Refused
from bot.language import current, speaking_in
from bot.ports.people import Window
from bot.ports.store import Transaction
from bot.services import refusal
from bot.services.asker import Asker
from bot.services.outgoing import answer_row
from store.records import AuditDraft, InboxItem, Json

log = logging.getLogger(__name__)
IP_NOTE = "Slack does not pass on the person's address"


@dataclass(frozen=True)
class Matter:
    """What is being decided: the audit entry's action, resource and facts.

    `case_id` is the case whose card a person with an old one is sent to; 0 for none.
    """

    action: str
    resource: str
    what: Mapping[str, Json] = field(default_factory=dict)
    case_id: int = 0


@dataclass(frozen=True)
class Hearing:
    """An inbox item that *owner* holds, and where its sender is answered."""

    item: InboxItem
    owner: str
    channel: str
    ts: str = ""
    response_url: str = ""
    window: Window | None = None  # where the sender looks for the answer
    language_of: Callable[[str], str] = lambda _: current()

    def entry(self, matter: Matter, status: str, **what: Json) -> AuditDraft:
        """Return the audit entry of this person's doing in *matter*."""
        return AuditDraft(
            user_id=self.item.slack_id,
            action=matter.action,
            resource=matter.resource,
            status=status,
            what={**matter.what, **what},
            ip_note=IP_NOTE,
            trace_id=f"inbox/{self.item.id}",
        )

    def speaking(self) -> AbstractContextManager[None]:
        """Let what refuses something inside be said in the sender's language."""
        return speaking_in(self.language_of(self.item.slack_id))

    def told(self, error: BotError) -> str:
        """What the sender is told of *error*, in their language."""
        with self.speaking():
            return error.to_person()

    async def answer(
        self, tx: Transaction, code: AnswerCode, facts: Mapping[str, Json], *, part: str = ""
    ) -> bool:
        """Queue a private answer to the sender; the same *part* is told once, False if it was."""
        return await tx.outbox.put(
            answer_row(
                self.item.id,
                code,
                facts,
                channel=self.channel,
                slack_id=self.item.slack_id,
                ts=self.ts,
                response_url=self.response_url,
                window=self.window,
                part=part,
            )
        )

    async def finish(self, tx: Transaction, outcome: str) -> None:
        """Mark the item done. Raises `Stale` when somebody else has taken it over."""
        await tx.inbox.finish(self.item.id, owner=self.owner, outcome=outcome)

    async def refuse(
        self,
        tx: Transaction,
        asker: Asker,
        error: Refused,
        matter: Matter,
        *,
        recorded: bool = True,
    ) -> None:
        """Say no: record it for somebody we know, count it for others, tell both why."""
        if not asker.known:
            log.info("unknown sender refused", extra={"action": matter.action, "why": error.code})
        elif recorded:
            entry = self.entry(matter, "refused", code=error.code)
            await refusal.record(tx, entry, code=error.code, owner=self.owner)
        if isinstance(error, OutOfDate):
            await self.answer(tx, AnswerCode.OUT_OF_DATE, {"case_id": matter.case_id})
        else:
            await self.answer(tx, AnswerCode.REFUSED, {"text": self.told(error)})
        await self.finish(tx, error.code if asker.known else f"unknown_sender:{error.code}")

    async def fail(self, tx: Transaction, error: BotError, matter: Matter) -> None:
        """Say that it did not work, and why where the person can know; record that it failed."""
        entry = self.entry(matter, "failed", code=error.code)
        await refusal.record(tx, entry, code=error.code, owner=self.owner)
        if type(error) is BotError:
            await self.answer(tx, AnswerCode.FAILED, {})
        else:
            await self.answer(tx, AnswerCode.REFUSED, {"text": self.told(error)})
        await self.finish(tx, f"failed:{error.code}")
