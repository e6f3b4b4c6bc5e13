"""The worker of what Alertmanager is told: rolled back apps, and silences.

A row is claimed, what it is about is read from the store, said, and marked, in that order: a crash
between saying and marking says it twice, and Alertmanager then holds the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain import matchers, silencing
from bot.domain.naming import LabelMap
from bot.domain.recovery import BAKE
from bot.domain.silencing import Held
from bot.errors import UpstreamDown, UpstreamRefused
from bot.log import bound
from bot.ports.alerting import Alerting
from bot.ports.store import Store, Transaction
from bot.services.alerting.rows import EVERY, alert_again, alert_there, is_of_the_end, silence_there
from bot.services.alerting.silencing import begin_after
from bot.services.alerting.standing import Standings
from bot.services.waiting import backoff
from store.records import (
    TO_ALERTMANAGER,
    AppEnv,
    Corrupt,
    Missing,
    OutboxKind,
    Outgoing,
    Silenced,
    Stale,
)

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=90)  # longer than the calls that one row needs


@dataclass(frozen=True)
class Manner:
    """What is told: whether rollbacks are, and in which environments alerts are silenced."""

    known: Container[AppEnv]  # the watched apps, which alerts may mean
    announce: bool = True
    silence: frozenset[str] = frozenset()
    labels: LabelMap = field(default_factory=LabelMap)
    bake: timedelta = BAKE


class Tell:
    """Tells every Alertmanager; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        there: Mapping[str, Alerting],
        standings: Standings,
        manner: Manner,
        *,
        owner: str,
        nudge: Callable[[], None],
        jitter: Callable[[], float],
        lease: timedelta = LEASE,
    ) -> None:
        """Take what telling needs.

        Args:
            store: Where the rows are.
            there: The Alertmanagers by their addresses; none where none is named.
            standings: Says what one of them is to hold.
            manner: What is told.
            owner: This worker, among all of all machines.
            nudge: Called when something was put on a card's thread.
            jitter: A number from 0 to 1, another one each time.
            lease: How long a row is this worker's alone.
        """
        self._store = store
        self._there = there
        self._standings = standings
        self._manner = manner
        self._owner = owner
        self._nudge = nudge
        self._jitter = jitter
        self._lease = lease
        self._trouble: set[str] = set()

    @property
    def trouble(self) -> frozenset[str]:
        """The Alertmanagers that did not take the last that was told them."""
        return frozenset(self._trouble)

    async def step(self) -> bool:
        """Tell the oldest that is to be told; False when there is nothing."""
        async with self._store.write() as tx:
            row = await tx.outbox.claim(self._owner, lease=self._lease, kinds=TO_ALERTMANAGER)
        if row is None:
            return False
        with bound(outbox=row.id, kind=row.kind.value):
            try:
                await self._take(row)
            except UpstreamDown as error:
                await self._later(row, error)
            except (UpstreamRefused, Missing, Corrupt) as error:
                await self._drop(row, str(error))
            except Stale:
                log.warning("row taken over by another worker")
        return True

    async def _take(self, row: Outgoing) -> None:
        if row.destination == EVERY:
            await self._spread(row)
            return
        there = self._there.get(row.destination)
        if there is None:
            await self._drop(row, "it is named in the settings no more")
        elif row.kind is OutboxKind.ALERT:
            await self._announce(row, there)
        else:
            await self._silence(row, there)
        self._trouble.discard(row.destination)

    async def _spread(self, row: Outgoing) -> None:
        """Make one row for each Alertmanager, and silence what this rollback asks for."""
        async with self._store.write() as tx:
            if row.kind is OutboxKind.SILENCE:
                for url in self._there:
                    await tx.outbox.put(silence_there(row, url))
            else:
                await self._spread_alert(tx, row)
            await tx.outbox.sent(row.id, owner=self._owner)

    async def _spread_alert(self, tx: Transaction, row: Outgoing) -> None:
        rollback = await tx.rollbacks.get(row.body["rollback_id"])
        if rollback.drill or not self._there:
            return
        if self._manner.announce:
            for leg in rollback.legs:
                for url in self._there:
                    await tx.outbox.put(alert_there(row, url, leg.where))
        if not is_of_the_end(row):
            return  # a silence that somebody ended by hand meanwhile stays ended
        silences = any(leg.where.env in self._manner.silence for leg in rollback.legs)
        if silences and await begin_after(tx, rollback, bake=self._manner.bake):
            self._nudge()

    async def _announce(self, row: Outgoing, there: Alerting) -> None:
        where, again = AppEnv.parse(row.body["where"]), bool(row.body["again"])
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(row.body["rollback_id"])
            standing = await self._standings.of(tx, rollback, where, again=again)
        if standing is not None:
            await there.announce(standing.alert)
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner)
            if standing is not None and standing.again_at is not None:
                await tx.outbox.put(alert_again(row, standing.again_at))

    async def _silence(self, row: Outgoing, there: Alerting) -> None:
        """Let exactly the silences be there that the store wants: what was begun twice is found."""
        where = AppEnv.parse(row.body["where"])
        async with self._store.read() as tx:
            wanted, now = await tx.silences.of(where), await tx.now()
        held = [one for one in await there.silences() if silencing.is_of(one, where)]
        ids = await self._begun(there, wanted, held, now) if wanted is not None else []
        for one in held:
            if one.id not in ids:
                await there.unsilence(one.id)
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner, reference=" ".join(ids))

    async def _begun(
        self, there: Alerting, wanted: Silenced, held: Sequence[Held], now: datetime
    ) -> list[str]:
        """The ids of all that *wanted* needs; what is not *held* yet is begun."""
        comment, until = silencing.comment(wanted), wanted.until
        ids: list[str] = []
        ways = await asyncio.to_thread(
            matchers.exactly,
            wanted.where,
            self._manner.labels,
            self._manner.known,
            wanted.alerts,
        )
        for way in ways:
            same = next((one.id for one in held if silencing.is_same(one, wanted, way)), "")
            ids.append(same or await there.silence(way, since=now, until=until, comment=comment))
        return ids

    async def _later(self, row: Outgoing, error: UpstreamDown) -> None:
        log.warning("Alertmanager is told later", extra={"why": error.code, "to": row.destination})
        self._trouble.add(row.destination)
        delay = backoff(row.attempts, jitter=self._jitter())
        async with self._store.write() as tx:
            await tx.outbox.defer(row.id, owner=self._owner, delay=delay, error=str(error))

    async def _drop(self, row: Outgoing, why: str) -> None:
        log.error("row dropped", extra={"destination": row.destination, "why": why})
        async with self._store.write() as tx:
            await tx.outbox.drop(row.id, owner=self._owner, error=why)
