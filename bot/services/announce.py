"""Send events to the sinks of the configuration: at least once, and in order for each app@env.

A step holds one app's events for one sink. What fails is tried again, later each time: a sink that
is down rests as a whole, one that refuses an event holds back that app alone, and no sink waits
for another. A sink that takes nothing of an app for too long goes on without what is older than
that, which is said; age alone gives nothing up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain import cloudevent
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.log import bound
from bot.ports.events import Sink
from bot.ports.store import Store
from bot.pulse import alive
from bot.services.waiting import backoff
from store.failpoint import fp
from store.records import Announcement, AppEnv, AuditDraft, Consignment, Stale

LEASE = timedelta(seconds=60)
MOST_S = 40.0  # that one call takes, less than the lease
AT_ONCE = 2  # apps that one process sends to one sink beside each other
BATCH = 100
FOLLOW_EVERY = timedelta(minutes=30)
_LONGEST_S = 300.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Followed:
    """A sink, and what it is to get; no *types* or *envs* are all of them."""

    sink: Sink
    types: frozenset[str] = frozenset()
    envs: frozenset[str] = frozenset()
    from_start: bool = False
    give_up_after: timedelta = timedelta(days=3)

    def wants(self, announcement: Announcement) -> bool:
        """Whether the sink is to get it."""
        here = not self.envs or announcement.where.env in self.envs
        return here and cloudevent.chosen(announcement.kind, self.types)


@dataclass
class Announce:
    """Empties the streams of all sinks; several processes may do so at once."""

    store: Store
    sinks: Mapping[str, Followed]
    owner: str
    jitter: Callable[[], float]
    monotonic: Callable[[], float]
    lease: timedelta = LEASE
    _busy: Counter[str] = field(default_factory=Counter)
    _followed_at: float | None = None
    _trouble: dict[tuple[str, AppEnv | None], str] = field(default_factory=dict)
    _steps: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def trouble(self) -> Mapping[str, str]:
        """The sinks that took nothing when they were last tried, with the code of why."""
        return {sink: why for (sink, _), why in self._trouble.items()}

    async def step(self) -> bool:
        """Send what waits longest; False when there is nothing for a sink that is free."""
        async with self._turn:  # so that no more are begun for a sink than may be
            await self._follow()
            self._steps += 1
            owner = f"{self.owner}/{self._steps}"  # of this very step
            held = await self._claim(owner)
            if held is None:
                return False
            self._busy[held.sink] += 1
        try:
            with bound(sink=held.sink, app=str(held.where)), suppress(Stale):
                await self._send(held, owner)
        finally:
            self._busy[held.sink] -= 1
        return True

    async def _claim(self, owner: str) -> Consignment | None:
        free = [name for name in self.sinks if self._busy[name] < AT_ONCE]
        if not free:
            return None
        async with self.store.read() as tx:
            if not await tx.sinks.waits(free):
                return None
        async with self.store.write() as tx:
            return await tx.sinks.claim(free, owner, lease=self.lease, limit=BATCH)

    async def _follow(self) -> None:
        """Let the store know which sinks there are; now and then, that it keeps what they need."""
        now = self.monotonic()
        seen = self._followed_at
        if not self.sinks or (seen is not None and now - seen < FOLLOW_EVERY.total_seconds()):
            return
        async with self.store.write() as tx:
            await tx.sinks.follow({name: one.from_start for name, one in self.sinks.items()})
        self._followed_at = now

    async def _send(self, held: Consignment, owner: str) -> None:
        """Send all that is held, part by part; each is settled before the next one leaves."""
        followed = self.sinks[held.sink]
        wanted = [one for one in held.announcements if followed.wants(one)]
        for part, through in _parts(wanted, followed.sink.at_once, held.through):
            try:
                if part:
                    async with asyncio.timeout(MOST_S):
                        await followed.sink.send(part)
                    fp("events:sent")
            except TimeoutError:
                late = UpstreamDown(held.sink, "took too long")
                await self._failed(held, owner, wanted[wanted.index(part[0]) :], late)
                return
            except (UpstreamDown, UpstreamRefused) as error:
                await self._failed(held, owner, wanted[wanted.index(part[0]) :], error)
                return
            if part:
                self._is_well(held)
            last = through == held.through
            keep = None if last else self.lease
            async with self.store.write() as tx:
                await tx.sinks.delivered(
                    held, owner=owner, through=through, sent=len(part), keep=keep
                )
            held = replace(held, attempts=0, failures=0, failing_since=None)
            alive()

    async def _failed(
        self,
        held: Consignment,
        owner: str,
        left: Sequence[Announcement],
        error: UpstreamDown | UpstreamRefused,
    ) -> None:
        """Settle that the first of *left* was not taken.

        When it has failed for too long, of what is as old a sink that is down loses all, one that
        refuses that one alone; what follows is tried after the same pause.
        """
        refused = isinstance(error, UpstreamRefused)
        trouble = (held.sink, held.where if refused else None)  # what is down is so for all
        if self._trouble.get(trouble) != error.code:
            _log.warning("events are not taken", extra={"why": error.code, "said": str(error)})
        self._trouble[trouble] = error.code
        async with self.store.write() as tx:
            before = await tx.now() - self.sinks[held.sink].give_up_after
            too_old = _until(left[:1] if refused else left, before) if _fails(held, before) else []
            if too_old:  # held still: what follows is another's business
                entry = _given_up(held, too_old, error)
                await tx.sinks.give_up(
                    held,
                    owner=owner,
                    through=too_old[-1].sequence,
                    count=len(too_old),
                    entry=entry,
                )
            if refused:
                delay = self._wait(held.attempts + 1)
                await tx.sinks.refused(held, owner=owner, delay=delay, error=str(error))
            else:
                delay = self._wait(held.failures + 1)
                if isinstance(error, Throttled):
                    delay = timedelta(seconds=error.retry_after_s)
                await tx.sinks.down(held, owner=owner, delay=delay, error=str(error))
        if too_old:
            numbers = {"first": too_old[0].sequence, "last": too_old[-1].sequence}
            _log.error("events given up", extra={**numbers, "why": str(error)})

    def _is_well(self, held: Consignment) -> None:
        known = [(held.sink, held.where), (held.sink, None)]
        if [one for one in known if self._trouble.pop(one, "")]:
            _log.info("events are taken again")

    def _wait(self, failures: int) -> timedelta:
        return backoff(failures, jitter=self.jitter(), longest_s=_LONGEST_S)


def _parts(
    wanted: Sequence[Announcement], size: int, through: int
) -> Sequence[tuple[Sequence[Announcement], int]]:
    """What is sent at once, each with where the app stands after it; at the end *through*."""
    parts = [wanted[at : at + size] for at in range(0, len(wanted), size)]
    if not parts:
        return [((), through)]
    ends = [part[-1].sequence for part in parts[:-1]]
    return list(zip(parts, [*ends, through], strict=True))


def _fails(held: Consignment, before: datetime) -> bool:
    """Whether all tries have failed since *before*."""
    return held.failing_since is not None and held.failing_since < before


def _until(part: Sequence[Announcement], before: datetime) -> list[Announcement]:
    """The first of *part* that were written earlier than *before*."""
    old: list[Announcement] = []
    for one in part:
        if one.at >= before:
            break
        old.append(one)
    return old


def _given_up(
    held: Consignment, events: Sequence[Announcement], error: UpstreamDown | UpstreamRefused
) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action="events.give_up",
        resource=f"sink/{held.sink}",
        status="failed",
        what={
            "app": str(held.where),
            "first": events[0].sequence,
            "last": events[-1].sequence,
            "why": error.code,
        },
        ip_note="Keyturn itself",
    )
