"""Answers in dialogs: one is opened while its answer is made, and either may come first."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from enum import Enum, auto

from bot.domain.choices import Choices
from bot.domain.diff.browse import Sheet
from bot.domain.words import AnswerCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.people import Messenger, Note, Window
from bot.ports.store import Store
from bot.services.answer import Answers
from store.records import Corrupt, Json, Missing, Outgoing

log = logging.getLogger(__name__)
# https://docs.slack.dev/reference/methods/views.update
_CLOSED = "not_found"
_OPENING, _OPENS_SOON = timedelta(seconds=4), timedelta(seconds=0.3)


class Told(Enum):
    """What became of an answer in a dialog."""

    YES = auto()
    LATER = auto()  # it is not open yet
    NOT = auto()  # a message has to do


class Dialogs:
    """Fills the dialogs that people have open."""

    def __init__(self, store: Store, messenger: Messenger, answers: Answers, *, owner: str) -> None:
        """Fill from *answers*; *owner* holds the rows."""
        self._store = store
        self._messenger = messenger
        self._answers = answers
        self._owner = owner

    async def fill(self, row: Outgoing) -> Told:
        """Show the answer of *row* in the dialog that it was asked in, and mark the row so.

        Raises:
            Throttled, UpstreamDown: It cannot be shown now.
            Missing, Corrupt: It cannot be made; the dialog says that it failed.
        """
        window = Window(**{**row.body["window"], "slack_id": row.body["slack_id"]})
        try:
            await self._messenger.fill(window, await self._shown(row.body))
        except UpstreamRefused as error:
            if error.upstream_code == _CLOSED:
                return await self._closed(row)
            log.warning("dialog not filled", extra={"why": error.upstream_code or error.code})
            return Told.NOT
        except (Missing, Corrupt):  # the row is dropped, but nobody shall wait before the dialog
            with suppress(UpstreamDown, UpstreamRefused):
                await self._messenger.fill(window, Note(AnswerCode.FAILED, {}))
            raise
        return await self._sent(row)

    async def _shown(self, body: Mapping[str, Json]) -> Sheet | Choices | Note:
        if body["code"] == AnswerCode.CHOICES:
            return await self._answers.choices(body["facts"])
        if body["code"] == AnswerCode.DIFFERENCE:
            return await self._answers.leaf(body["facts"])
        return await self._answers.complete(body["code"], body["facts"])

    async def _closed(self, row: Outgoing) -> Told:
        async with self._store.read() as tx:
            age = await tx.now() - row.created_at
        if age < _OPENING:
            async with self._store.write() as tx:
                said = "its dialog is not open yet"
                await tx.outbox.defer(row.id, owner=self._owner, delay=_OPENS_SOON, error=said)
            return Told.LATER
        # one in which a page was turned was open, and is no more; one of choices was closed, or is
        # about another app by now, or the listener said that it did not open: nobody is to be told
        over = row.body["facts"].get("place") or row.body["code"] == AnswerCode.CHOICES
        return await self._sent(row) if over else Told.NOT

    async def _sent(self, row: Outgoing) -> Told:
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner)
        return Told.YES
