"""After a rollback: look whether the trouble went, until that is seen or the bake time is over.

Run it on a clock, on any number of machines: what is watched is read from the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import spans
from bot.domain import drill, recovery
from bot.domain.recovery import UNREADABLE, Verdict
from bot.domain.verdict.incident import Series
from bot.errors import UpstreamDown
from bot.ports.evidence import LookBack
from bot.ports.store import Store
from bot.services.apart import Apart
from bot.services.replaced import changed_at
from bot.services.watching import MOST, conclude
from store.records import AppEnv, Finding, Firing, Rollback, Stale

log = logging.getLogger(__name__)
BEFORE = timedelta(hours=2)  # of what was measured before the trouble


@dataclass(frozen=True)
class _Aftermath:
    """What is known after a rollback of which nothing later than `until` counts.

    `firings` are those of the trouble, with all of the same names since; `first` is the one that
    it began with. `changed` says that something else is live by now.
    """

    rollback: Rollback
    where: AppEnv
    firings: Sequence[Firing]
    first: Firing
    finding: Finding | None
    until: datetime
    over: bool
    changed: bool


class Recover:
    """Says of each rollback that an alert brought about whether it helped."""

    def __init__(
        self,
        store: Store,
        look_back: LookBack | None,
        *,
        waited: timedelta,
        bake: timedelta = recovery.BAKE,
        quiet: timedelta = recovery.QUIET,
    ) -> None:
        """Take what watching needs.

        Args:
            store: Where rollbacks and alerts are kept.
            look_back: What reads measurements; None where nothing measures.
            waited: How long rules wait as a rule before they fire.
            bake: How long is watched at most, from verified live.
            quiet: How long an alert has to stay resolved where no metric shows the trouble.
        """
        self._store = store
        self._look_back = look_back
        self._waited = waited
        self._bake = bake
        self._quiet = quiet

    async def __call__(self) -> int:
        """Look at everything that is watched; return of how many it could be said now."""
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return 0
            watched = await tx.rollbacks.watched(limit=MOST)
        apart, said = Apart(log), 0
        for rollback in watched:
            with apart.piece("not seen whether it helped", rollback=rollback.id):
                said += await self._look(rollback)
        apart.tell()
        return said

    async def _look(self, rollback: Rollback) -> bool:
        assert rollback.recovery is not None  # noqa: S101  # it is watched
        after = await self._aftermath(rollback, rollback.recovery.case_id)
        verdict = await self._verdict(after) if after is not None else UNREADABLE
        ended = recovery.concluded(
            verdict,
            rollback.recovery,
            over=after is None or after.over,
            changed=after is not None and after.changed,
        )
        if ended is None:
            return False
        try:
            async with self._store.write() as tx:
                current = await tx.rollbacks.get(rollback.id, lock=True)
                if not current.watched:
                    return False  # another process was quicker, or people went elsewhere
                await conclude(tx, current, ended)
        except Stale:
            return False
        of = spans.case(rollback.case_id)
        spans.happened("recovery", of=of, rollback=rollback.id, state=ended.state)
        facts = {"rollback": rollback.id, "state": ended.state, **drill.mark(rollback)}
        log.info("recovery", extra=facts)
        return True

    async def _aftermath(self, rollback: Rollback, alerting: int) -> _Aftermath | None:
        """What is known after *rollback*; None when its alerts are gone."""
        verified = recovery.verified_at(rollback)
        async with self._store.read() as tx:
            now = await tx.now()
            case = await tx.cases.get(alerting)
            firings = drill.about(rollback, await tx.alerts.of_case(alerting))
            again = await tx.alerts.around(case.where.env, since=verified, until=now)
            replaced = await changed_at(tx, rollback)
        if not firings:
            return None
        names, known = {one.alertname for one in firings}, {one.id for one in firings}
        again = [one for one in again if one.where == case.where and one.alertname in names]
        return _Aftermath(
            rollback=rollback,
            where=case.where,
            firings=[*firings, *(one for one in again if one.id not in known)],
            first=recovery.meant(firings, case.finding),
            finding=case.finding,
            until=now if replaced is None else min(replaced, now),
            over=now - verified >= self._bake,
            changed=replaced is not None,
        )

    async def _verdict(self, after: _Aftermath) -> Verdict:
        """What the metrics say, where they showed the trouble, else what the alert does.

        An alert ends too when its Prometheus does: so it is not heard while nothing is readable.
        """
        try:
            measured = await self._by_metric(after)
        except UpstreamDown as error:
            log.warning("nothing measured", extra={"app": str(after.where), "error": str(error)})
            return UNREADABLE
        if measured is not None:
            return measured
        acted = recovery.acted_at(after.rollback)
        return recovery.by_alert(after.firings, acted_at=acted, now=after.until, quiet=self._quiet)

    async def _by_metric(self, after: _Aftermath) -> Verdict | None:
        if self._look_back is None:
            return None
        began = recovery.began(after.first, after.finding, waited=self._waited)
        measured = await self._look_back(
            after.first, [after.where], since=began - BEFORE, until=after.until
        )
        series = measured.series.get(after.where, ())
        return await asyncio.to_thread(_recovered, series, after, began)


def _recovered(series: Sequence[Series], after: _Aftermath, began: datetime) -> Verdict | None:
    from bot.domain.verdict.recovered import recovered  # with numpy, so late

    return recovered(
        series,
        onset=began,
        acted_at=recovery.acted_at(after.rollback),
        verified_at=recovery.verified_at(after.rollback),
        now=after.until,
    )
