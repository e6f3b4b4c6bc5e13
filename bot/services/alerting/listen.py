"""While we silence alerts, Alertmanager sends us nothing of them: so it is asked.

It never sends what ended in a silence. Without asking, a case would stay open for ever, and where
no metric shows the trouble nobody would know that a rollback helped.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import silencing
from bot.domain.naming import LabelMap
from bot.ports.alerting import Alerting
from bot.ports.store import Store, Transaction
from bot.services.apart import Apart
from bot.services.watching import MOST
from store.records import AppEnv, Delivery, Firing, FiringStatus, Silenced

log = logging.getLogger(__name__)
SOURCE = "alertmanager"


class Listen:
    """Takes in what our silences keep from us."""

    def __init__(
        self,
        store: Store,
        there: Mapping[str, Alerting],
        apps: Collection[AppEnv],
        labels: LabelMap,
        *,
        nudge: Callable[[], None],
        quiet: timedelta,
    ) -> None:
        """Take what listening needs.

        Args:
            store: Where silences and alerts are kept.
            there: The Alertmanagers by their addresses.
            apps: The watched apps.
            labels: How alerts name them.
            nudge: Called when an alert was taken in.
            quiet: How long one of them has to run before what it does not have is over: after its
                start it hears of each alert again only when Prometheus sends it again.
        """
        self._store = store
        self._there = there
        self._apps = apps
        self._labels = labels
        self._nudge = nudge
        self._quiet = quiet

    async def __call__(self) -> None:
        """Ask about every app that is silenced, or was a moment ago."""
        if not self._there:
            return
        async with self._store.read() as tx:
            silenced = await tx.silences.lately(self._apps, silencing.HEARD_AFTER)
        apart = Apart(log)
        for one in silenced:
            with apart.piece("silenced alerts not asked for", app=str(one.where)):
                await self._about(one)
        apart.tell()

    async def _about(self, silenced: Silenced) -> None:
        where = silenced.where
        matchers = silencing.matchers(where, self._labels)
        answers = [await there.firing(matchers) for there in self._there.values()]
        up_since = [await there.up_since() for there in self._there.values()]
        firing = {
            one.fingerprint: one for answer in answers for one in answer if one.where == where
        }
        async with self._store.write() as tx:
            now = await tx.now()
            fire = [one for one in firing.values() if one.starts_at <= now]
            knows = all(now - since >= self._quiet for since in up_since)
            over = await _over(tx, where, firing, now) if knows else []
            if fire or over:
                await tx.alerts.take(_delivery(where, [*fire, *over]))
        self._nudge()


async def _over(
    tx: Transaction, where: AppEnv, firing: Collection[str], now: datetime
) -> list[Firing]:
    """What still fires for us, and nowhere else: it has ended by *now*."""
    cases = {case.id for case in await tx.cases.open_cases() if case.where == where}
    watched = await tx.rollbacks.watched(limit=MOST)  # also of a case that another followed
    cases |= {one.recovery.case_id for one in watched if one.recovery and one.leg_of(where)}
    known = [one for case_id in sorted(cases) for one in await tx.alerts.of_case(case_id)]
    return [
        replace(one, status=FiringStatus.RESOLVED, ends_at=now)
        for one in known
        if one.source == SOURCE
        and one.where == where
        and one.status is FiringStatus.FIRING
        and one.fingerprint not in firing
    ]


def _delivery(where: AppEnv, firings: Sequence[Firing]) -> Delivery:
    said = sorted(
        f"{one.fingerprint}\0{one.starts_at.isoformat()}\0{one.status}" for one in firings
    )
    digest = hashlib.sha256("\n".join([f"listened\0{where}", *said]).encode()).hexdigest()
    return Delivery(SOURCE, "keyturn", f"listened/{where}", digest, 0, tuple(firings))
