"""While we silence alerts, Alertmanager sends us nothing of them: so it is asked.

It never sends what ended in a silence. Without asking, a case would stay open for ever, and where
no metric shows the trouble nobody would know that a rollback helped.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain import matchers, silencing
from bot.domain.naming import LabelMap
from bot.ports.alerting import Alerting
from bot.ports.store import Store, Transaction
from bot.services.apart import Apart
from bot.services.watching import MOST
from store.records import AppEnv, Delivery, Firing, FiringStatus

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
            known = await _known(tx) if silenced else []
        apart = Apart(log)
        for one in silenced:
            with apart.piece("silenced alerts not asked for", app=str(one.where)):
                await self._about(one.where, known)
        apart.tell()

    async def _about(self, where: AppEnv, known: Sequence[Firing]) -> None:
        """Take in what fires of all that a silence of *where* may hush, and what of it is over.

        One that was begun by other settings may hush more than what means *where* by now, so more
        is asked for than a new one would hush.
        *known* is what fired for us before Alertmanager is asked: what has begun since may be
        stored by now, and be in no answer.
        """
        asked = matchers.broadly(where, self._labels, self._apps)
        servers = self._there.values()
        firing = [one for there in servers for way in asked for one in await there.firing(way)]
        up_since = [await there.up_since() for there in servers]
        fires = {one.fingerprint for one in firing}
        gone = [one for one in known if one.fingerprint not in fires]
        async with self._store.write() as tx:
            now = await tx.now()
            heard = {one.fingerprint: one for one in firing if one.where and one.starts_at <= now}
            knows = all(now - since >= self._quiet for since in up_since)
            over = [
                replace(one, status=FiringStatus.RESOLVED, ends_at=now)
                for one in gone
                if knows and matchers.fits_one(asked, one.labels)
            ]
            if heard or over:
                await tx.alerts.take(_delivery(where, [*heard.values(), *over]))
        self._nudge()


async def _known(tx: Transaction) -> list[Firing]:
    """What fires for us: a silence may hush also what means another app."""
    cases = {case.id for case in await tx.cases.open_cases()}
    watched = await tx.rollbacks.watched(limit=MOST)  # also of a case that another followed
    cases |= {one.recovery.case_id for one in watched if one.recovery}
    known = [one for case_id in sorted(cases) for one in await tx.alerts.of_case(case_id)]
    return [one for one in known if one.source == SOURCE and one.status is FiringStatus.FIRING]


def _delivery(where: AppEnv, firings: Sequence[Firing]) -> Delivery:
    said = sorted(
        f"{one.fingerprint}\0{one.starts_at.isoformat()}\0{one.status}" for one in firings
    )
    digest = hashlib.sha256("\n".join([f"listened\0{where}", *said]).encode()).hexdigest()
    return Delivery(SOURCE, "keyturn", f"listened/{where}", digest, 0, tuple(firings))
