"""Read targets and store what is new: on the clock for all apps, and on demand for one.

An app that nobody published since costs one line of a page that lists all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import count
from types import MappingProxyType

from bot.errors import UpstreamDown
from bot.ports.store import Store
from bot.ports.target import LiveRef, Target, Targets, TargetVersion
from bot.services import relapse
from bot.services.apart import Apart
from bot.services.include import Inclusion
from bot.services.outdate import outdate
from bot.services.recording import catch_up, record
from store.records import AppEnv, Version

log = logging.getLogger(__name__)
FIRST_CONTACT = 20  # versions that are imported before anything else is done
COUNTS = 5  # how often versions are counted while others publish
AT_ONCE = 4  # apps of one target: people use it meanwhile
BATCH = 20  # older versions imported by one step in the background


class Snapshot:
    """Keeps the store's history in step with the targets'."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        *,
        nudge: Callable[[], None],
        channels: Mapping[AppEnv, str] = MappingProxyType({}),
        inclusion: Inclusion | None = None,
        included: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Take what reading needs.

        Args:
            store: Where versions are kept.
            targets: The apps that are watched.
            nudge: Called when what is new took the ground from an open rollback, or is said.
            channels: Where it is said that somebody published what was rolled back.
            inclusion: Told of every complete listing, for apps without a table.
            included: Called when it then watches other apps than before.
        """
        self._store = store
        self._targets = targets
        self._nudge = nudge
        self._channels = channels
        self._inclusion = inclusion
        self._included = included
        self._complete: set[AppEnv] = set()  # nothing older is there to import

    async def sweep(self) -> list[Version]:
        """Look at every app of every target; return the versions that were new.

        One app or target that cannot be read does not hold up the others; the last error is
        raised when all have been looked at.
        """
        known = await self._known()
        found: list[Version] = []
        apart = Apart(log)
        other_apps = False
        also = self._inclusion.targets if self._inclusion else ()
        for target, apps in _by_target(self._targets.all(), also):
            refs: list[LiveRef] = []
            with apart.piece("workspace not read", target=target.name):
                refs = [ref async for ref in target.list_live()]
                if self._inclusion is not None:
                    other_apps |= await self._inclusion.listed(target, refs)
            changed = [
                where
                for ref in refs
                for where in apps.get(ref.app_id, ())
                if ref.live_id and known.get(where) != ref.live_id
            ]
            found += await self._refresh_all(changed, apart)
        if other_apps and self._included is not None:
            await self._included()
        apart.tell()
        return found

    async def _refresh_all(self, changed: Sequence[AppEnv], apart: Apart) -> list[Version]:
        """Read these apps of one target, a few at once; what is new stands in their order."""
        few = asyncio.Semaphore(AT_ONCE)

        async def one(where: AppEnv) -> list[Version]:
            found: list[Version] = []
            async with few:
                with apart.piece("app not read", app=str(where)):
                    found = await self.refresh(where)
            return found

        try:
            async with asyncio.TaskGroup() as together:
                reading = [together.create_task(one(where)) for where in changed]
        except ExceptionGroup as lost:  # the database: nothing else gets out of a piece
            raise lost.exceptions[0] from lost
        return [version for read in reading for version in read.result()]

    async def refresh(self, where: AppEnv) -> list[Version]:
        """Read what was published in *where* since we last looked; oldest first.

        At first contact that is the newest twenty versions, numbered by how many there are.

        Raises:
            UnknownApp, UpstreamDown, UpstreamRefused.
        """
        target, app_id = self._targets.of(where)
        async with self._store.read() as tx:
            newest = await tx.versions.newest(where)
        if newest is None:
            return await self._first_contact(where, target, app_id)
        fresh = await catch_up(self._store, where, target, app_id)
        await self._outdate(where, fresh)
        return fresh

    async def backfill(self) -> bool:
        """Import one batch of history that is older than what we have; True if there was one.

        An app whose history cannot be read does not hold up the others.
        """
        apart = Apart(log)
        for where, (target, app_id) in self._targets.all().items():
            if where in self._complete:
                continue
            async with self._store.read() as tx:
                lowest = await tx.versions.import_mark(where)
                mark = await tx.versions.numbered(where, lowest) if lowest else None
            if mark is None:
                continue  # before first contact
            with apart.piece("history not imported", app=str(where)):
                if await self._import_older(where, target, app_id, mark):
                    return True
                self._complete.add(where)
        apart.tell()
        return False

    # -- first contact and older history --------------------------------------------------------

    async def _first_contact(self, where: AppEnv, target: Target, app_id: str) -> list[Version]:
        total, newest_first = await _counted(target, app_id)
        numbered = list(zip(count(total, -1), newest_first, strict=False))
        return [
            await record(self._store, where, version, number=number)
            for number, version in reversed(numbered)
        ]

    async def _import_older(
        self, where: AppEnv, target: Target, app_id: str, mark: Version
    ) -> bool:
        """Import what is older than *mark*, which may have been deleted in the target."""
        lowest = mark.number or 1
        if lowest == 1:
            return False
        async with self._store.read() as tx:
            newest = await tx.versions.newest(where)
        place = (newest.number or lowest) - lowest if newest else 0
        older = await _older(target, app_id, mark, place)
        for number, version in zip(count(lowest - 1, -1), older, strict=False):
            await record(self._store, where, version, number=number)
        return bool(older)

    # -- storing --------------------------------------------------------------------------------

    async def _outdate(self, where: AppEnv, fresh: list[Version]) -> None:
        """What is new may take the ground from a rollback that is open."""
        if not fresh:
            return
        log.info("new versions", extra={"app": str(where), "versions": len(fresh)})
        async with self._store.write() as tx:
            if await tx.pause.current() is not None:
                return  # who resumes compares every open rollback
            outdated = await outdate(tx, where, live=fresh[-1])
            said = await relapse.notice(tx, fresh, channel=self._channels.get(where, ""))
            await relapse.alert(tx, fresh)
        if outdated or said:
            self._nudge()

    async def _known(self) -> dict[AppEnv, str]:
        async with self._store.read() as tx:
            return await tx.versions.newest_target_ids()


def _by_target(
    places: Mapping[AppEnv, tuple[Target, str]], also: Iterable[Target]
) -> list[tuple[Target, dict[str, list[AppEnv]]]]:
    """Group apps by the target that they live in; one id may be known under several names."""
    grouped: dict[str, tuple[Target, dict[str, list[AppEnv]]]] = {
        target.name: (target, {}) for target in also
    }
    for where, (target, app_id) in places.items():
        _, apps = grouped.setdefault(target.name, (target, {}))
        apps.setdefault(app_id, []).append(where)
    return list(grouped.values())


async def _counted(target: Target, app_id: str) -> tuple[int, list[TargetVersion]]:
    """The newest versions with how many there are in all, of one and the same moment.

    Where the newest are all there are, as in most apps, nothing has to be counted.

    Raises:
        UpstreamDown: Somebody published again and again while we counted.
    """
    newest_first = await _take(target.history(app_id), FIRST_CONTACT)
    if len(newest_first) < FIRST_CONTACT:
        return len(newest_first), newest_first
    total = await target.count_versions(app_id)
    for _ in range(COUNTS):
        newest_first = await _take(target.history(app_id), FIRST_CONTACT)
        before, total = total, await target.count_versions(app_id)
        if total == before:
            return total, newest_first
    raise UpstreamDown(target.name, f"the versions of {app_id} change while they are counted")


async def _older(target: Target, app_id: str, mark: Version, place: int) -> list[TargetVersion]:
    """The next batch of versions that are older than *mark*, newest first.

    *place* is where *mark* stands if none was deleted, so that a long history is not read from
    its newest end for every batch; where it does not stand there, it is.
    """
    most = min(BATCH, (mark.number or 1) - 1)
    older: list[TargetVersion] = []
    passed = False
    async for version in target.history(app_id, start=place):
        if version.external_id == mark.external_id:
            passed = True
        elif passed or version.published_at < mark.published_at:
            if place and not passed and not older:
                break  # what stood before it was deleted: some of it may be older than *mark*
            older.append(version)
            if len(older) == most:
                break
    return await _older(target, app_id, mark, 0) if place and not older else older


async def _take(versions: AsyncIterator[TargetVersion], most: int) -> list[TargetVersion]:
    taken: list[TargetVersion] = []
    async for version in versions:
        taken.append(version)
        if len(taken) == most:
            break
    return taken
