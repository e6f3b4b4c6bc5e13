"""The whole record of one rollback, read from the store."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import drill, legs
from bot.domain.chart.kept import from_json
from bot.domain.chart.view import ChartView
from bot.domain.diff.page import DiffPage
from bot.domain.record.build import Kept, build
from bot.domain.record.entries import resources
from bot.domain.record.view import RecordPage
from bot.domain.words import FindingCode, NoteCode
from bot.errors import LinkInvalid
from bot.ports.store import Store, Transaction
from bot.services.page import name_of_rollback, page
from store.records import (
    AuditEntry,
    Case,
    Corrupt,
    Firing,
    Json,
    Missing,
    OutboxKind,
    Outgoing,
    Rollback,
    Version,
)

log = logging.getLogger(__name__)
OTHERS = 50  # rollbacks of the app among which one that undoes it is looked for
WITHIN = timedelta(seconds=10)  # of one transaction
_REMEMBERED = 16  # differences; what they show never changes
_TOLD = (OutboxKind.NOTE, OutboxKind.CHART)


def name_of_record(rollback_id: int) -> str:
    """The name of the page that shows the whole record of a rollback."""
    return str(rollback_id)


@dataclass(frozen=True)
class _Read:
    """What one transaction reads; the differences are made outside it."""

    made_at: datetime
    rollback: Rollback
    lived: Sequence[tuple[datetime, Rollback]]
    case: Case
    firings: Sequence[Firing]
    told: Sequence[Outgoing]
    versions: Mapping[int, Version]
    others: Sequence[Rollback]
    entries: Sequence[AuditEntry]
    head: tuple[int, str]
    flaw: str


class Records:
    """Reads records; differences that were made once are remembered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: OrderedDict[str, DiffPage] = OrderedDict()

    async def __call__(self, rollback_id: int) -> RecordPage:
        """Return the record of a rollback as it stands now.

        Raises:
            LinkInvalid: There is no such rollback.
            Corrupt: What tells of it cannot be read.
        """
        try:
            read = await self._read(rollback_id)
        except Missing as error:
            raise LinkInvalid(str(error)) from error
        rollback = read.rollback
        pages = [
            await self._page(name_of_rollback(rollback.id, position))
            for position in range(len(rollback.legs))
        ]
        return await asyncio.to_thread(build, _kept(read, pages))

    async def _read(self, rollback_id: int) -> _Read:
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(rollback_id)
            case = await tx.cases.get(rollback.case_id)
            caller = _caller(case)
            entries = await tx.audit.about_any(
                resources(rollback, case, await _meanings(tx, rollback)), since=case.opened_at
            )
            return _Read(
                made_at=await tx.now(),
                rollback=rollback,
                lived=await tx.rollbacks.lived(rollback_id),
                case=case,
                firings=seen_here(drill.about(rollback, await tx.alerts.of_case(caller)), rollback),
                told=await tx.outbox.queued(f"case:{case.id}", _TOLD),
                versions=await _versions(tx, rollback),
                others=await _others(tx, rollback, case),
                entries=entries,
                head=await tx.audit.head(),
                flaw=await tx.audit.flaw_in(entries),
            )

    async def _page(self, name: str) -> DiffPage | None:
        """The difference called *name*; None where it cannot be read any more."""
        made = self._made.get(name)
        if made is None:
            try:
                made = await page(self._store, name)
            except (Corrupt, LinkInvalid) as error:
                log.warning("difference not read", extra={"page": name, "why": str(error)})
                return None
            self._made[name] = made
        self._made.move_to_end(name)
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        return made


def _kept(read: _Read, pages: Sequence[DiffPage | None]) -> Kept:
    rollback = read.rollback
    return Kept(
        made_at=read.made_at,
        rollback=rollback,
        lived=read.lived,
        case=read.case,
        firings=_until(read.firings, rollback),
        finding=_finding(read.entries, rollback),
        told=_evidence(read.told, rollback),
        slipped_in=_slipped_in(read.told, rollback),
        chart=_chart(read.told, rollback),
        versions=read.versions,
        pages=pages,
        others=read.others,
        entries=read.entries,
        head=read.head,
        flaw=read.flaw,
    )


def _caller(case: Case) -> int:
    """The case that has the alert: another one where the change was made behind the caller."""
    finding = case.finding
    if finding is None or finding.code != FindingCode.SUGGESTED_BEHIND:
        return case.id
    caller: int = finding.facts.get("case", case.id)
    return caller


async def _others(tx: Transaction, rollback: Rollback, case: Case) -> list[Rollback]:
    """What of the app came since the case was opened, and what this undoes; the newest first."""
    since = await tx.rollbacks.opened(
        since=case.opened_at, where=rollback.leg.where, after=0, limit=OTHERS
    )
    undone = rollback.parent_id
    if undone is not None and undone not in {one.id for one in since}:
        since = [await tx.rollbacks.get(undone), *since]
    return since[::-1]


def seen_here(firings: Sequence[Firing], rollback: Rollback) -> list[Firing]:
    """*firings*; of another app's only what they are called and when, which its people may see."""
    return [
        one
        if one.where is not None and rollback.leg_of(one.where) is not None
        else replace(one, labels={"alertname": one.alertname}, annotations={})
        for one in firings
    ]


async def _versions(tx: Transaction, rollback: Rollback) -> dict[int, Version]:
    """Both sides of each leg, and what was published."""
    ids = {leg.from_version_id for leg in rollback.legs}
    ids |= {leg.to_version_id for leg in rollback.legs}
    ids |= legs.published_versions(rollback.execution)
    return {version_id: await tx.versions.get(version_id) for version_id in sorted(ids)}


async def _meanings(tx: Transaction, rollback: Rollback) -> set[str]:
    """What the rollback may have condemned or lifted."""
    found: set[str] = set()
    for leg in rollback.legs:
        to = await tx.versions.get(leg.to_version_id)
        live = await tx.versions.get(leg.from_version_id)
        between = max((live.number or 0) - (to.number or 0), 0)
        later = await tx.versions.history(leg.where, limit=between, before=(live.number or 0) + 1)
        found |= {to.meaning, live.meaning, *(version.meaning for version in later)}
    return found


def _until(firings: Sequence[Firing], rollback: Rollback) -> list[Firing]:
    """The alerts that are about it: none that began when it was over, and was watched no more."""
    over = rollback.finished_at
    return [one for one in firings if over is None or one.starts_at <= over]


def _finding(entries: Sequence[AuditEntry], rollback: Rollback) -> str:
    """The code of what was found when it was opened, as the audit trail has it."""
    of_it = (entry for entry in entries if entry.resource == f"rollback/{rollback.id}")
    opened = next((entry for entry in of_it if entry.action == "rollback.open"), None)
    return str(opened.what.get("finding", "")) if opened else ""


def _evidence(told: Sequence[Outgoing], rollback: Rollback) -> Mapping[str, Json] | None:
    """The evidence as the thread had it last when the rollback was opened, if it is kept."""
    notes = _notes(told, NoteCode.EVIDENCE)
    before = [row for row in notes if row.created_at <= _opened(rollback)]
    return before[-1].body["facts"] if before else None


def _slipped_in(told: Sequence[Outgoing], rollback: Rollback) -> list[str]:
    ours = f":rollback:{rollback.id}:"
    notes = _notes(told, NoteCode.EDITS_SLIPPED_IN)
    return [line for row in notes if ours in row.dedupe_id for line in row.body["facts"]["lines"]]


def _chart(told: Sequence[Outgoing], rollback: Rollback) -> ChartView | None:
    """The newest chart of the case when the rollback was opened, if it is kept."""
    rows = [row for row in told if row.kind is OutboxKind.CHART]
    before = [row for row in rows if row.created_at <= _opened(rollback)]
    try:
        return from_json(before[-1].body["chart"]) if before else None
    except Corrupt:
        log.warning("chart of another release", extra={"rollback": rollback.id})
        return None


def _notes(told: Sequence[Outgoing], code: NoteCode) -> list[Outgoing]:
    of_notes = (row for row in told if row.kind is OutboxKind.NOTE)
    return [row for row in of_notes if row.body["code"] == code]


def _opened(rollback: Rollback) -> datetime:
    """When what led to it had surely been queued: in the transaction that opened it."""
    return rollback.opened_at + WITHIN
