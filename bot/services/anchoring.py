"""The worker of the anchors: tells each head that was queued to where nobody rewrites it.

First on the standard output, then, by a row of its own that is queued as the line is out, to the
address that keeps them. A crash between telling and marking tells it twice, and never not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

from bot.errors import UpstreamDown
from bot.log import ANCHORS
from bot.ports.store import Store
from bot.ports.world import AnchorKeeper
from bot.services.waiting import backoff
from store.records import AuditAnchor, NewOutgoing, OutboxKind, Outgoing, Stale

log = logging.getLogger(__name__)
_published = logging.getLogger(ANCHORS)
LEASE = timedelta(seconds=60)  # longer than posting one takes
POSTED = "anchors/posted"
_LONGEST_S = 300.0
_HELD = timedelta(seconds=5)  # until it is looked at again whether this is still a copy


class Anchoring:
    """Publishes anchors in the order of the chain; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        keeper: AnchorKeeper | None,
        *,
        owner: str,
        jitter: Callable[[], float],
        lease: timedelta = LEASE,
    ) -> None:
        """Without a *keeper* the standard output, and Slack, are all there is."""
        self._store = store
        self._keeper = keeper
        self._owner = owner
        self._jitter = jitter
        self._lease = lease
        self.trouble = ""

    async def step(self) -> bool:
        """Publish the oldest anchor that waits; False when there is none."""
        async with self._store.write() as tx:
            row = await tx.outbox.claim(self._owner, lease=self._lease, kinds=[OutboxKind.ANCHOR])
            paused = await tx.pause.current() if row is not None else None
            if row is not None and paused is not None and paused.origin.is_copy:
                await tx.outbox.defer(row.id, owner=self._owner, delay=_HELD, error="a copy")
                return True  # what it holds may not be the chain that others keep anchors of
        if row is None:
            return False
        try:
            await (self._post(row) if row.order_key == POSTED else self._say(row))
        except Stale:
            log.warning("anchor taken over by another worker")
        return True

    async def _say(self, row: Outgoing) -> None:
        anchor = AuditAnchor(**row.body)
        _published.info("audit anchor", extra=asdict(anchor))
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner, reference="stdout")
            if self._keeper is not None:
                await tx.outbox.put(_to_be_posted(anchor))

    async def _post(self, row: Outgoing) -> None:
        if self._keeper is None:
            async with self._store.write() as tx:
                await tx.outbox.drop(row.id, owner=self._owner, error="no anchor_url any more")
            return
        try:
            await self._keeper.publish(AuditAnchor(**row.body))
        except UpstreamDown as error:
            self.trouble = str(error)
            log.warning("anchor has to wait", extra={"why": str(error), "attempts": row.attempts})
            delay = backoff(row.attempts, jitter=self._jitter(), longest_s=_LONGEST_S)
            async with self._store.write() as tx:
                await tx.outbox.defer(row.id, owner=self._owner, delay=delay, error=str(error))
            return
        self.trouble = ""
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner, reference="anchor_url")


def _to_be_posted(anchor: AuditAnchor) -> NewOutgoing:
    return NewOutgoing(
        kind=OutboxKind.ANCHOR,
        destination=POSTED,
        order_key=POSTED,
        dedupe_id=f"anchor/{anchor.sequence}/posted",
        body=asdict(anchor),
    )
