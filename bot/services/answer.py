"""Complete what a note for people says with what is known only when it is sent."""

from __future__ import annotations

import asyncio

from bot.domain import link
from bot.domain.card_view import Sign
from bot.domain.choices import Choices
from bot.domain.diff.browse import Sheet, place_in, sheet
from bot.domain.diff.changes import compare
from bot.domain.diff.text import mini
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import Refused, UpstreamRefused
from bot.ports.people import Messenger, Note
from bot.ports.store import Store
from bot.services.choices import choices
from bot.services.drawing import Address, Differences, link_to_record
from bot.services.page import name_of_versions
from bot.services.record import name_of_record
from bot.services.review import ACTION as SIGN_REVIEW
from store.records import AppEnv, Json

DRIFT_LINES = 12  # in a channel, where nobody asked for it
DIFFERENCE_LINES = 40  # what a message shows of it; the whole is in the thread


class Answers:
    """Links to cards and texts of differences, filled in as the store and Slack have them now."""

    def __init__(
        self,
        store: Store,
        messenger: Messenger,
        differences: Differences,
        address: Address | None,
        sign: Sign,
    ) -> None:
        """Link to cards, and to pages if they have an *address*; *sign* makes buttons' values."""
        self._sign = sign
        self._address = address
        self._store = store
        self._messenger = messenger
        self._differences = differences

    async def complete(self, code: str, facts: dict[str, Json]) -> Note:
        """Return the note: `case_id` gives way to `permalink`, `rollback_id` to `text`.

        `rows` of a comparison, the stored rows of its two versions, give way to `address`.
        """
        match code:
            case AnswerCode.OUT_OF_DATE:
                return Note(code, {"permalink": await self._permalink(facts["case_id"])})
            case AnswerCode.DIFFERENCE:
                text = await self._difference(facts["rollback_id"])
                permalink = await self._permalink(facts["case_id"])
                return Note(code, {"text": text, "permalink": permalink})
            case AnswerCode.STATUS:
                rows = [await self._row(row) for row in facts["rows"]]
                return Note(code, {"rows": rows})
            case AnswerCode.RECORD:
                return Note(code, {**facts, "address": await self._record(facts["rollback"])})
            case AnswerCode.COMPARED:
                told = {key: value for key, value in facts.items() if key != "rows"}
                old, new = facts.get("rows") or (0, 0)  # an older release queues none
                return Note(code, {**told, "address": await self._page(old, new)})
            case _:
                return Note(code, await self._notice(code, facts))

    async def _notice(self, code: str, facts: dict[str, Json]) -> dict[str, Json]:
        """What a message of its own says; what needs nothing more says its facts."""
        match code:
            case NoteCode.DRIFT:
                return await self._drift(facts)
            case NoteCode.CORE_CHANGED:
                told = {key: value for key, value in facts.items() if key != "rows"}
                return {**told, "address": await self._page(*facts["rows"])}
            case NoteCode.ENDED if "rollback" in facts:  # an older release queued none
                return await self._ended(facts)
            case NoteCode.GLASS_BROKEN:
                told = {key: value for key, value in facts.items() if key != "case_id"}
                return {**told, "permalink": await self._permalink(facts["case_id"])}
            case NoteCode.REVIEW_OPEN | NoteCode.REVIEW_STILL_OPEN:
                return await self._review(facts)
            case _:
                return facts

    async def leaf(self, facts: dict[str, Json]) -> Sheet:
        """Return one sheet of the difference that a `DIFFERENCE` answer is about."""
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(facts["rollback_id"])
        changes = await self._differences.shown(self._store, rollback)
        return await asyncio.to_thread(sheet, changes, place_in(facts.get("place", "")))

    async def choices(self, facts: dict[str, Json]) -> Choices | Note:
        """Return the versions that a `CHOICES` answer is about, or why there are none."""
        try:
            return await choices(self._store, AppEnv.parse(facts["where"]), facts["page"])
        except Refused as error:
            return Note(AnswerCode.REFUSED, {"text": error.to_person()})

    async def _drift(self, facts: dict[str, Json]) -> dict[str, Json]:
        """What a change without a publish changed: the first lines of it, and where the rest is."""
        old, new = facts["rows"]
        async with self._store.read() as tx:
            before, after = await tx.versions.document(old), await tx.versions.document(new)
        changes = await asyncio.to_thread(compare, before, after)
        told = {key: value for key, value in facts.items() if key != "rows"}
        return {
            **told,
            "summary": changes.summary(),
            "phrases": list(changes.phrases()),
            "lines": mini(changes, lines=DRIFT_LINES).splitlines(),
            "address": await self._page(old, new),
        }

    async def _page(self, old: int, new: int) -> str:
        """A new link to the page of two versions; "" for none. It is kept nowhere."""
        if self._address is None or old == new:
            return ""
        async with self._store.read() as tx:
            return self._address(name_of_versions(old, new), await tx.now() + link.LASTS)

    async def _record(self, rollback_id: int) -> str:
        """A new link to a rollback's record; "" for none."""
        if self._address is None:
            return ""
        async with self._store.read() as tx:
            return self._address(name_of_record(rollback_id), await tx.now() + link.LASTS)

    async def _ended(self, facts: dict[str, Json]) -> dict[str, Json]:
        """How a rollback ended, with the link that its card has too."""
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(facts["rollback"])
        told = {key: value for key, value in facts.items() if key != "rollback"}
        record = link_to_record(rollback, self._address)
        return {**told, "record": record} if record else told

    async def _review(self, facts: dict[str, Json]) -> dict[str, Json]:
        """Who has signed by now, and the button for those who have not; none when it is closed."""
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(facts["rollback_id"])
        told = {key: value for key, value in facts.items() if key not in ("case_id", "rollback_id")}
        return {
            **told,
            "signed": [signature.slack_id for signature in rollback.signatures],
            "permalink": await self._permalink(facts["case_id"]),
            "value": self._sign(rollback, SIGN_REVIEW) if rollback.review_open else "",
        }

    async def _row(self, row: dict[str, Json]) -> dict[str, Json]:
        told = {key: value for key, value in row.items() if key != "case_id"}
        return {**told, "permalink": await self._permalink(row["case_id"])}

    async def _difference(self, rollback_id: int) -> str:
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(rollback_id)
        return mini(await self._differences.shown(self._store, rollback), lines=DIFFERENCE_LINES)

    async def _permalink(self, case_id: int) -> str:
        """The link to a case's card; "" for no case, no card, or a card that was deleted."""
        if not case_id:
            return ""
        async with self._store.read() as tx:
            case = await tx.cases.get(case_id)
        if not case.card_ts:
            return ""
        try:
            return await self._messenger.permalink(channel=case.channel, ts=case.card_ts)
        except UpstreamRefused:
            return ""
