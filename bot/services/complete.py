"""Fetch what was cut off of a group of alerts, for as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.alerting import WholeGroups
from bot.ports.store import Store
from bot.services.waiting import backoff
from store.records import Delivery, Truncated

LEASE = timedelta(seconds=60)  # longer than any answer takes
_LONGEST_S = 300.0
log = logging.getLogger(__name__)


class Complete:
    """Asks Alertmanager for all of a group that came with `truncatedAlerts`.

    What is to be fetched stands in the database since the delivery was filed, so neither a crash
    nor an Alertmanager that does not answer loses it.
    """

    def __init__(
        self, store: Store, alerting: Sequence[WholeGroups], *, jitter: Callable[[], float]
    ) -> None:
        """Take what completing needs.

        Args:
            store: Where groups wait and alerts are kept.
            alerting: Alertmanagers that stand in for each other: they are asked in turn until one
                answers. Where none is named, groups wait.
            jitter: From 0 to 1, so that replicas drift apart.
        """
        self._store = store
        self._alerting = alerting
        self._jitter = jitter
        self._told = 0  # how many groups were seen to wait for nobody

    async def step(self) -> bool:
        """Complete the group that is due for longest; False when there is none."""
        if not self._alerting:
            await self._tell_waiting()
            return False
        async with self._store.read() as tx:
            if not await tx.truncated.waiting():
                return False
        async with self._store.write() as tx:
            group = await tx.truncated.claim(lease=LEASE)
        if group is None:
            return False
        try:
            delivery = await self._whole(group)
        except (UpstreamDown, UpstreamRefused) as error:
            await self._later(group, error)
        else:
            await self._store_rest(group, delivery)
        return True

    async def _whole(self, group: Truncated) -> Delivery:
        """All of *group*, of the first who answers; raises what the last one did."""
        *others, last = self._alerting
        for one in others:
            try:
                return await one.whole(group)
            except (UpstreamDown, UpstreamRefused) as error:
                log.info("another Alertmanager is asked", extra={"why": str(error)[:300]})
        return await last.whole(group)

    async def _store_rest(self, group: Truncated, delivery: Delivery) -> None:
        async with self._store.write() as tx:
            await tx.truncated.completed(group)  # locked before alerts are, as filing does
            await tx.alerts.take_all([delivery])
        log.info("truncated group completed", extra={"alerts": len(delivery.firings)})

    async def _later(self, group: Truncated, error: UpstreamDown | UpstreamRefused) -> None:
        delay = backoff(group.attempts, jitter=self._jitter(), longest_s=_LONGEST_S)
        async with self._store.write() as tx:
            await tx.truncated.later(group, delay, error.code)
        log.warning(
            "truncated group not completed",
            extra={"why": str(error)[:300], "again_in_s": round(delay.total_seconds())},
        )

    async def _tell_waiting(self) -> None:
        """Say once what is missing, and again when more groups wait."""
        async with self._store.read() as tx:
            waiting = await tx.truncated.waiting()
        if waiting > self._told:
            mend = "set [alertmanager] url, or max_alerts to 0 in its webhook_configs"
            log.warning("groups came cut short", extra={"groups": waiting, "mend": mend})
        self._told = waiting
