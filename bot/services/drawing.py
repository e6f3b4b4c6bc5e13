"""What a case's card shows, gathered from the store as it is at this moment."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from bot.domain import button, card_view, link, lost
from bot.domain.card import CardView
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.diff.joined import joined
from bot.domain.diff.picture import Picture, picture
from bot.domain.diff.summary import Phrase
from bot.domain.diff.upright import upright
from bot.domain.lost import Later, Lost
from bot.domain.secrets import expected
from bot.domain.words import FindingCode
from bot.ports.store import Store, Transaction
from bot.services.choosing import ACTION as ANOTHER
from bot.services.comparing import between
from bot.services.page import name_of_rollback
from bot.services.record import name_of_record
from store.document import Document
from store.records import Case, Firing, Leg, Rollback, Version, VersionKind

log = logging.getLogger(__name__)
Address = Callable[[str, datetime], str]  # (name of a page, when the link is over) → its address
_BY_HAND = frozenset({FindingCode.BY_HAND, FindingCode.VALUES_MASKED})
IN_A_PICTURE = 6  # nodes; of more a phone shows only what changed and its neighbours
LOOKED_BACK = 20  # versions between candidate and live whose changes are told
_SUMMARIES = 256
_REMEMBERED = 32  # differences; versions never change, so nothing has to be forgotten but for room


@dataclass(frozen=True)
class Shown:
    """A case with the card that shows it."""

    case: Case
    view: CardView


class Differences:
    """The change lists of rollbacks; each is made once, off the event loop."""

    def __init__(self, *, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._made: OrderedDict[tuple[int, int], ChangeList] = OrderedDict()
        self._summaries: OrderedDict[tuple[int, int], tuple[Phrase, ...]] = OrderedDict()

    async def of(self, store: Store, leg: Leg) -> ChangeList:
        """Return the changes from what was live to what *leg* leaves live.

        Raises:
            Missing, Corrupt: A document cannot be read.
        """
        return await self.between(store, leg.from_version_id, leg.to_version_id)

    async def shown(self, store: Store, rollback: Rollback) -> ChangeList:
        """Return all that *rollback* changes, of several apps one after the other.

        Raises:
            Missing, Corrupt: A document cannot be read.
        """
        found = [(leg.where.app, await self.of(store, leg)) for leg in rollback.legs]
        return joined(found)

    async def between(self, store: Store, live_id: int, candidate_id: int) -> ChangeList:
        """Return the changes that going back from one stored version to the other makes.

        Raises:
            Missing, Corrupt: A document cannot be read.
        """
        key = (live_id, candidate_id)
        made = self._made.get(key)
        if made is None:
            async with store.read() as tx:
                before = await tx.versions.document(live_id)
                candidate = await tx.versions.document(candidate_id)
            made = await asyncio.to_thread(_compared, before, candidate)
            self._made[key] = made
        self._made.move_to_end(key)
        while len(self._made) > self._remembered:
            self._made.popitem(last=False)
        return made

    async def picture(self, store: Store, leg: Leg) -> Picture | None:
        """Return the workflow with what *leg* changes in it; None where nothing in it changes.

        Raises:
            Missing, Corrupt: A document cannot be read.
        """
        changes = await self.of(store, leg)
        async with store.read() as tx:
            live = await tx.versions.document(leg.from_version_id)
            candidate = await tx.versions.document(leg.to_version_id)
        drawn = await asyncio.to_thread(_drawn, live, candidate, changes)
        return drawn if drawn is not None and drawn.has_news else None

    async def later(self, store: Store, candidate: Version, live: Version) -> list[Later]:
        """Return what each version after *candidate* up to *live* changed, the newest first.

        Versions that mean the same as the one before them are left out, and of more than
        `LOOKED_BACK` the oldest are not looked at. Empty where *candidate*
        is not the older one, or one of the two has no number.

        Raises:
            Missing, Corrupt: A document cannot be read.
        """
        if not candidate.number or not live.number or candidate.number >= live.number:
            return []
        limit = min(live.number - candidate.number, LOOKED_BACK) + 1
        async with store.read() as tx:
            versions = await tx.versions.history(live.where, limit=limit, before=live.number + 1)
        pairs = [p for p in pairwise(versions) if (p[1].number or 0) >= candidate.number]
        return [
            Later(newer, await self._phrases(store, older, newer))
            for newer, older in pairs
            if newer.meaning != older.meaning
        ]

    async def _phrases(self, store: Store, older: Version, newer: Version) -> tuple[Phrase, ...]:
        key = (older.id, newer.id)
        if key not in self._summaries:
            self._summaries[key] = (await between(store, older, newer)).phrases()
        self._summaries.move_to_end(key)
        while len(self._summaries) > _SUMMARIES:
            self._summaries.popitem(last=False)
        return self._summaries[key]


@dataclass(frozen=True)
class _Facts:
    case: Case
    rollback: Rollback | None
    versions: dict[int, Version]
    firings: Sequence[Firing]
    head: tuple[int, str]
    choosable: bool  # whether there are versions that a person may ask for


class Drawing:
    """Draws cards."""

    def __init__(
        self,
        store: Store,
        differences: Differences,
        *,
        keys: Sequence[bytes],
        address: Address | None = None,
    ) -> None:
        """Draw with buttons signed by *keys*, and links to pages if they have an *address*."""
        self._store = store
        self._differences = differences
        self._keys = keys
        self._address = address

    async def card(self, case_id: int) -> Shown:
        """Return the card of a case. Raises `Missing`, `Corrupt`."""
        async with self._store.read() as tx:
            facts = await _facts(tx, case_id)
        rollback = facts.rollback
        by_hand = None if rollback else await self._by_hand(facts.case)
        changes = await self._changes(rollback) if rollback else [by_hand] if by_hand else []
        view = card_view.build(
            facts.case,
            rollback,
            versions=facts.versions,
            changes=changes,
            firings=facts.firings,
            head=facts.head,
            sign=self.sign,
            pages=self._pages(rollback),
            record=link_to_record(rollback, self._address) if rollback else "",
            given_up=await self._given_up(facts),
            another=self._another(facts),
        )
        return Shown(facts.case, view)

    async def _changes(self, rollback: Rollback) -> list[ChangeList]:
        """The difference of each leg."""
        found = [await self._differences.of(self._store, leg) for leg in rollback.legs]
        bound = [leg.change_digest for leg in rollback.legs]
        if [changes.digest for changes in found] != bound:  # made by another version of the program
            log.error("difference is not what votes bind to", extra={"rollback": rollback.id})
        return found

    async def _by_hand(self, case: Case) -> ChangeList | None:
        """What people would change who go back by hand, where that is what the card says."""
        finding = case.finding
        if finding is None or finding.code not in _BY_HAND or finding.candidate_id is None:
            return None
        live_id = finding.facts["live_id"]
        return await self._differences.between(self._store, live_id, finding.candidate_id)

    def _another(self, facts: _Facts) -> str:
        """The value of the button that asks for a version of the case's app; "" for none."""
        if not facts.choosable:
            return ""
        return button.sign_case(facts.case, ANOTHER, keys=self._keys)

    async def _given_up(self, facts: _Facts) -> Sequence[Lost]:
        """What else goes when the rollback is carried out, or went with it."""
        legs = facts.rollback.legs if facts.rollback else ()
        return [one for leg in legs for one in await self._given_up_by(facts, leg)]

    async def _given_up_by(self, facts: _Facts, leg: Leg) -> Sequence[Lost]:
        finding = facts.case.finding
        to, live = facts.versions[leg.to_version_id], facts.versions[leg.from_version_id]
        later = await self._differences.later(self._store, to, live)
        unread = max((live.number or 0) - (to.number or 0) - LOOKED_BACK, 0) if later else 0
        joint = facts.rollback is not None and facts.rollback.joint
        return lost.lost(
            later,
            suspect_id=finding.suspect_id if finding else None,
            unread=unread,
            where=str(leg.where) if joint else "",
        )

    def _pages(self, rollback: Rollback | None) -> Sequence[str]:
        """A link for each leg; over a day after the rollback was opened, whenever it is drawn."""
        if rollback is None or self._address is None:
            return ()
        until = rollback.opened_at + link.LASTS
        names = (name_of_rollback(rollback.id, at) for at in range(len(rollback.legs)))
        return [self._address(name, until) for name in names]

    def sign(self, rollback: Rollback, action: str) -> str:
        """Return the value of *rollback*'s *action* button."""
        return button.sign(rollback, action, keys=self._keys)


def link_to_record(rollback: Rollback, address: Address | None) -> str:
    """The link to the record of a rollback that has ended, over a day after that; "" for none.

    A channel sees it. Of several apps that is none: who may see this one may not see all of them.
    """
    if address is None or rollback.finished_at is None or rollback.joint:
        return ""
    return address(name_of_record(rollback.id), rollback.finished_at + link.LASTS)


async def _facts(tx: Transaction, case_id: int) -> _Facts:
    case = await tx.cases.get(case_id)
    rollback = None
    versions: dict[int, Version] = {}
    if case.rollback_id is not None:
        rollback = await tx.rollbacks.get(case.rollback_id)
        for leg in rollback.legs:
            for version_id in (leg.from_version_id, leg.to_version_id):
                versions[version_id] = await tx.versions.get(version_id)
    firings = await tx.alerts.of_case(case_id)
    newest = await tx.versions.newest(case.where) if rollback is None else None
    head = await tx.audit.head()
    return _Facts(case, rollback, versions, firings, head, newest is not None and _several(newest))


def _several(newest: Version) -> bool:
    """Whether there is one to go back to. What has no versions in its target is by hand mostly."""
    return (newest.number or 0) > 1 and newest.kind is not VersionKind.MODEL_CONFIG


def _drawn(live: Document, candidate: Document, changes: ChangeList) -> Picture | None:
    drawn = picture(live, expected(candidate, live), changes, most=IN_A_PICTURE)
    return upright(drawn) if drawn is not None else None


def _compared(before: Document, candidate: Document) -> ChangeList:
    return compare(before, expected(candidate, before))
