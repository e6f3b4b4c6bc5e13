"""Take back what an alert suggested once its trouble is over by itself, where a policy says so.

Run it on a clock, on any number of machines. An alert that has ended is not enough: its rule may
have lost its data. So the metrics that showed the trouble have to be back at their usual.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.domain import approval, recovery
from bot.domain.quorum import KEYTURN
from bot.domain.verdict.incident import Series
from bot.domain.words import NoteCode
from bot.errors import UpstreamDown
from bot.ports.evidence import LookBack
from bot.ports.store import Store, Transaction
from bot.services.apart import Apart
from bot.services.outgoing import by_keyturn, card_row, ended_facts, moved, note_row
from bot.services.recover import BEFORE
from bot.services.watching import MOST
from store.records import AppEnv, Case, Firing, FiringStatus, Rollback, Stale, State

log = logging.getLogger(__name__)


class Subside:
    """Withdraws suggestions that wait for votes and that nobody needs any more."""

    def __init__(
        self,
        store: Store,
        look_back: LookBack | None,
        *,
        withdraws: Callable[[AppEnv], bool],
        waited: timedelta,
    ) -> None:
        """Take what looking needs.

        Args:
            store: Where rollbacks and alerts are kept.
            look_back: What reads measurements; None where nothing measures: nothing is withdrawn.
            withdraws: Whether the policy of where an app is wants it.
            waited: How long rules wait as a rule before they fire.
        """
        self._store = store
        self._look_back = look_back
        self._withdraws = withdraws
        self._waited = waited

    async def __call__(self) -> int:
        """Look at every suggestion that waits; return how many were withdrawn."""
        if self._look_back is None:
            return 0
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            waiting = await tx.rollbacks.in_states((State.PENDING_APPROVAL,), limit=MOST)
        apart, gone = Apart(log), 0
        for rollback in waiting:
            if self._may_go(rollback):
                with apart.piece("not seen whether its trouble is over", rollback=rollback.id):
                    gone += await self._look(self._look_back, rollback)
        apart.tell()
        return gone

    def _may_go(self, rollback: Rollback) -> bool:
        suggested = rollback.requested_by == KEYTURN and not rollback.drill
        return suggested and all(self._withdraws(leg.where) for leg in rollback.legs)

    async def _look(self, look_back: LookBack, rollback: Rollback) -> bool:
        async with self._store.read() as tx:
            now = await tx.now()
            case = await tx.cases.get(rollback.case_id)
            firings = await tx.alerts.of_case(case.id)
        if not _over(firings):
            return False
        try:
            back_since = await self._back_since(look_back, case, firings, now)
        except UpstreamDown as error:
            log.warning("nothing measured", extra={"app": str(case.where), "error": str(error)})
            return False
        return back_since is not None and await self._withdraw(rollback.id, back_since)

    async def _back_since(
        self, look_back: LookBack, case: Case, firings: Sequence[Firing], now: datetime
    ) -> datetime | None:
        """Since when what showed the trouble is back at its usual; None where it is not."""
        first = recovery.meant(firings, case.finding)
        began = recovery.began(first, case.finding, waited=self._waited)
        measured = await look_back(first, [case.where], since=began - BEFORE, until=now)
        series = measured.series.get(case.where, ())
        return await asyncio.to_thread(_back, series, began, firings, now)

    async def _withdraw(self, rollback_id: int, since: datetime) -> bool:
        try:
            async with self._store.write() as tx:
                before = await tx.rollbacks.get(rollback_id, lock=True)
                case = await tx.cases.get(before.case_id)
                firings = await tx.alerts.of_case(case.id)
                if before.state is not State.PENDING_APPROVAL or not _over(firings):
                    return False  # people were quicker, or it began again
                await _withdrawn(tx, case, before, since)
        except Stale:
            return False
        log.info("rollback withdrawn", extra={"rollback": rollback_id})
        return True


async def _withdrawn(tx: Transaction, case: Case, before: Rollback, since: datetime) -> None:
    after = await tx.rollbacks.save(
        approval.subside(before, since=since, at=await tx.now()),
        was=before.revision,
        entry=by_keyturn(before, "rollback.subsided", votes=len(before.votes)),
    )
    await tx.outbox.put(card_row(case, moved(after)))
    await tx.outbox.put(note_row(case, NoteCode.ENDED, ended_facts(after), moved(after)))


def _over(firings: Sequence[Firing]) -> bool:
    return bool(firings) and all(one.status is FiringStatus.RESOLVED for one in firings)


def _back(
    series: Sequence[Series], began: datetime, firings: Sequence[Firing], now: datetime
) -> datetime | None:
    from bot.domain.verdict.recovered import over_by_itself  # with numpy, so late

    fired_from = min(one.starts_at for one in firings)
    fired_until = max(one.ends_at or now for one in firings)
    return over_by_itself(
        series, onset=began, fired_from=fired_from, fired_until=fired_until, now=now
    )
