"""New settings, or other included apps, in the place of the old while the service runs.

Everything that depends on settings is made anew from them and swapped as a whole: a request or
a step of a worker that began with the old settings ends with them, the next one has the new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from bot.config.settings import Settings
from bot.errors import ConfigurationWrong
from bot.ports.store import Store
from bot.renewal.changes import changed, digest, kept_until_restart
from bot.renewal.current import Current
from bot.renewal.watched import Watched, watched
from store.records import AuditDraft, IncludedApp, StoreError

log = logging.getLogger(__name__)
T = TypeVar("T")
Reread = Callable[[], Settings]


class Renewal(Generic[T]):
    """Owns which settings are in force; one change at a time."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        included: Sequence[IncludedApp],
        *,
        reread: Reread,
        make: Callable[[Watched, T | None], T],
        retire: Callable[[T, T], Awaitable[None]],
        swapped: Callable[[], None],
    ) -> None:
        """Make the first parts.

        Args:
            store: Where the change is recorded and the included apps are remembered.
            settings: Those of the start.
            included: The apps that the store remembers.
            reread: Reads the settings again; raises `ConfigurationWrong`.
            make: Makes the parts, taking what has not changed from the ones before.
            retire: Closes what the old parts (first) have and the new ones have not.
            swapped: Called after each swap, so that workers look again at what waits.

        Raises:
            ConfigurationWrong: An app has a name that belongs to an included one.
        """
        self._store = store
        self._settings = settings
        self._included = list(included)
        self._reread = reread
        self._make = make
        self._retire = retire
        self._swapped = swapped
        self._lock = asyncio.Lock()
        self._refused = False
        self.current: Current[T] = Current(make(watched(settings, included), None))

    @property
    def refused(self) -> bool:
        """True since settings that were read again were wrong, until there are good ones."""
        return self._refused

    async def reload(self) -> bool:
        """Read the settings again and work by them; False, and nothing changed, if that fails.

        Every mistake is logged at once. What needs a restart is named and stays as it is.
        """
        async with self._lock:
            try:
                fresh = await asyncio.to_thread(self._reread)
                await self._apply(fresh)
            except ConfigurationWrong as error:
                return self._stay(mistakes=error.problems)
            except StoreError as error:
                return self._stay(why=f"{type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - the edge of a signal: the service goes on
                return self._stay(why=type(error).__name__)
            self._refused = False
            return True

    async def look_at_included(self) -> bool:
        """Watch the apps that the store says are included; True if others than before."""
        async with self._lock:
            async with self._store.read() as tx:
                included = await tx.included.all()
            if included == self._included:
                return False
            await self._swap(watched(self._settings, included))
            self._included = included
            return True

    # -- how ------------------------------------------------------------------------------------

    async def _apply(self, fresh: Settings) -> None:
        fresh, waiting = kept_until_restart(self._settings, fresh)
        for line in fresh.notices:
            log.warning("settings", extra={"notice": line})
        if waiting:
            log.warning("changed, but in force only after a restart", extra={"settings": waiting})
        tables = changed(self._settings, fresh)
        if not tables:
            log.info("settings read again: nothing changed")
            return
        async with self._store.read() as tx:
            included = await tx.included.all()
        with_included = watched(fresh, included)
        await self._record(fresh, tables, waiting)
        await self._swap(with_included)
        self._settings, self._included = fresh, included
        log.info("settings reloaded", extra={"changed": tables})

    async def _record(self, fresh: Settings, tables: Sequence[str], waiting: Sequence[str]) -> None:
        """Who may vote may have changed with it, so no record, no change."""
        what = {
            "digest": digest(fresh),
            "before": digest(self._settings),
            "changed": list(tables),
            "after_restart": list(waiting),
        }
        entry = AuditDraft(
            user_id="keyturn",
            action="settings.reloaded",
            resource="settings",
            status="ok",
            what=what,
            ip_note="a signal to the process",
        )
        async with self._store.write() as tx:
            await tx.audit.append(entry)

    async def _swap(self, with_included: Watched) -> None:
        old = self.current.value
        new = self._make(with_included, old)
        await self.current.swap(new, close=lambda: self._retire(old, new))
        self._swapped()

    def _stay(self, **why: object) -> bool:
        self._refused = True
        log.error("settings refused: the old ones stay in force", extra=why)
        return False
