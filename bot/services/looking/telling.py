"""What a look brought is kept with its case, and shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bot.domain import drill, quorum
from bot.domain.chart.kept import as_json
from bot.domain.chart.view import ChartView
from bot.domain.words import FindingCode, NoteCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.store import Store, Transaction
from bot.services.looking import found
from bot.services.opening.presenting import entry
from bot.services.outgoing import card_row, chart_row, note_row
from store.records import Case, Finding, NewOutgoing

log = logging.getLogger(__name__)
LOOK_SOON = timedelta(seconds=5)  # after Slack, or whom a person's request needs, did not answer
LOOK_AGAIN = timedelta(seconds=30)  # after a target could not be read


def below(case: Case, finding: Finding, chart: ChartView | None) -> Iterator[NewOutgoing]:
    """What *finding* rests on, in the thread of *case*'s card: in words, and as a picture."""
    cause = f"{case.id}:{case.revision}"
    reasons = finding.facts.get("reasons")
    if reasons:
        facts = {"reasons": reasons, "percent": finding.facts["percent"]}
        yield note_row(case, NoteCode.EVIDENCE, facts, cause)
    if chart is not None:
        yield chart_row(case, as_json(chart), cause)


async def _paused(tx: Transaction, case: Case) -> bool:
    return await tx.suggestions.paused(case.where) is not None


class Telling:
    """Writes what is known of a case; opens nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_off(self, case: Case) -> None:
        """Look at *case* again soon."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.revision == case.revision:
                later = replace(current, assess_at=await tx.now() + LOOK_SOON)
                await tx.cases.save(later, was=current.revision)

    async def only_facts(
        self,
        case: Case,
        finding: Finding,
        *,
        again: timedelta | None = None,
        chart: ChartView | None = None,
    ) -> None:
        """Show what is known without a button.

        A rollback that ended is past then, unless it is why there is none now.
        """
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.revision != case.revision:
                return
            if finding.code == FindingCode.SUGGESTIONS_PAUSED and not await _paused(tx, case):
                again = timedelta()  # somebody resumed while we looked
            past = again is None and finding.code != FindingCode.REJECTED_BEFORE
            after = replace(
                current,
                finding=finding,
                assess_at=None if again is None else await tx.now() + again,
                rollback_id=None if past else current.rollback_id,
            )
            saved = await tx.cases.save(after, was=current.revision)
            new = not found.same_words(current.finding, finding)  # not again while a target is down
            if new:
                marked = drill.mark_of(await tx.alerts.of_case(saved.id))
                what = {"finding": finding.code, **marked}
                await tx.audit.append(entry(saved, "case.no_suggestion", quorum.KEYTURN, **what))
            if new or saved.rollback_id != current.rollback_id:
                await tx.outbox.put(card_row(saved, f"case:{saved.id}:{saved.revision}"))
            for row in below(saved, finding, chart) if new else ():
                await tx.outbox.put(row)

    async def not_due(self, case: Case) -> None:
        """There is nothing to look for, or an open rollback whose card says all."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.assess_at is not None:
                await tx.cases.save(replace(current, assess_at=None), was=current.revision)

    async def not_readable(self, case: Case, error: UpstreamDown | UpstreamRefused) -> None:
        """Say that the target of *case* cannot be read, and look again."""
        log.warning("target not read", extra={"app": str(case.where), "error": error.code})
        await self.only_facts(case, found.unreadable(case, error), again=LOOK_AGAIN)
