"""The worker that looks at new versions: does one change a core parameter, it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.domain import core
from bot.log import bound
from bot.ports.store import Store
from bot.services.comparing import between
from bot.services.outgoing import core_row
from store.records import AppEnv, Corrupt, Missing, OutboxKind, Outgoing, Stale

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=60)
_LINES = 20  # that a message shows


@dataclass(frozen=True)
class Watched:
    """The core parameters of an app, and the channel that is told of them; "" for none."""

    parameters: tuple[str, ...]
    channel: str


class CoreChanges:
    """Compares each new version with the one before it; any number of processes may do so."""

    def __init__(
        self,
        store: Store,
        watched: Mapping[AppEnv, Watched],
        *,
        owner: str,
        nudge: Callable[[], None],
        lease: timedelta = LEASE,
    ) -> None:
        """Take what looking needs; *watched* has the apps that are watched."""
        self._store = store
        self._watched = watched
        self._owner = owner
        self._nudge = nudge
        self._lease = lease

    async def step(self) -> bool:
        """Look at the oldest version that was not looked at; False when there is none."""
        async with self._store.write() as tx:
            kinds = (OutboxKind.PUBLISHED,)
            row = await tx.outbox.claim(self._owner, lease=self._lease, kinds=kinds)
        if row is None:
            return False
        with bound(outbox=row.id, kind=row.kind.value):
            try:
                await self._look(row)
            except Stale:
                log.warning("row taken over by another worker")
            except (Missing, Corrupt) as error:
                log.error("version not looked at", extra={"why": str(error)})  # noqa: TRY400
                async with self._store.write() as tx:
                    await tx.outbox.drop(row.id, owner=self._owner, error=str(error))
        return True

    async def _look(self, row: Outgoing) -> None:
        old_id, new_id = row.body["rows"]
        async with self._store.read() as tx:
            old, new = await tx.versions.get(old_id), await tx.versions.get(new_id)
        watched = self._watched.get(new.where)
        lines: list[str] = []
        if watched is not None and watched.channel and watched.parameters:
            lines = core.told(await between(self._store, old, new), watched.parameters)
        async with self._store.write() as tx:
            if watched is not None and lines:
                row_of_it = core_row(new, old, lines[:_LINES], len(lines), watched.channel)
                await tx.outbox.put(row_of_it)
            await tx.outbox.sent(row.id, owner=self._owner)
        if lines:
            log.info("core parameters changed", extra={"app": str(new.where)})
            self._nudge()
