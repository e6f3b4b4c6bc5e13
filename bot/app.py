"""The composition root: settings in, a running service out, everything closed on the way down."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import version

from aiohttp import ClientSession, ClientTimeout, web
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import jobs
from bot.adapters.slack.admission import Answer
from bot.adapters.slack.socket_mode import SocketMode
from bot.adapters.slack.wire import Received
from bot.assembly.admin import Admin
from bot.assembly.making import Making
from bot.assembly.measuring import Measuring
from bot.assembly.parts import Parts, retire
from bot.assembly.process import Patience, Process, Role
from bot.assembly.scheduled import SLOT_LEASE, Scheduled
from bot.assembly.tracing import traced
from bot.config.settings import Settings
from bot.domain import schedule
from bot.domain.quorum import KEYTURN
from bot.errors import UpstreamDown, UpstreamRefused
from bot.opening import open_migrated
from bot.renewal.bound import bound, bound_routes
from bot.renewal.current import Current
from bot.renewal.renewal import Renewal, Reread
from bot.services.follow_up import FollowUp
from bot.services.looking.judge import warm_up
from bot.services.prune import prune
from bot.services.resync import Resync
from bot.web import Readiness, Running
from bot.web import build as build_web
from bot.web import serve as open_door
from store import failpoint
from store.audit import verify
from store.records import IncludedApp, NotMigrated, Unavailable, Verification
from store.session import SqlStore

log = logging.getLogger(__name__)
PROBE_EVERY = timedelta(seconds=30)
INCLUDED_EVERY = timedelta(seconds=10)  # what another process found out
OUR_CALLS_S = 20.0
# What may wait for a target a long time, and how much of it at once: others do not wait behind.
AT_ONCE = {"command": 8, "execute": 8, "announce": 16}
BREATHES = {"take_in"}  # what comes in from Alertmanager may come without end
# Whom a worker's step may make work for (`file` and `take_in` wake them themselves). Whoever is
# left out here finds it at the next poll.
FEEDS = {
    "complete": ("take_in",),
    "propose": ("deliver", "announce", "anchor"),
    "decide": ("execute", "propose", "deliver", "announce", "anchor"),
    "command": ("propose", "deliver", "import", "announce", "anchor", "alertmanager"),
    "execute": ("propose", "deliver", "announce", "anchor", "alertmanager"),
    "import": ("propose", "deliver", "announce"),
    "deliver": ("direct",),
}


@dataclass
class Service:
    """Everything that runs in one process, opened and ready to be started."""

    store: SqlStore
    application: web.Application
    role: Role
    workers: jobs.Workers
    timer: AsyncIOScheduler
    first: tuple[jobs.Run, ...]  # ticks that do not wait for their first period
    take_snapshots: Callable[[], Awaitable[object]]
    see_recovery: Callable[[], Awaitable[object]]
    renewal: Renewal[Parts]
    socket: SocketMode | None  # the way in from Slack, unless it is the door
    admin: Admin | None  # a door for operators alone
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)

    async def start(self, host: str, port: int) -> Running:
        """Open the door and start working; the caller hands what is returned to `stop`.

        Raises:
            OSError: The address is taken or is not ours.
        """
        running = await open_door(self.application, host, port)
        if self.admin is not None:
            try:
                await self.admin.open(host)
            except OSError:
                await running.close()
                raise
        if self.socket is not None:
            self.socket.start()
        self.timer.start()
        if self.role is not Role.WEB:
            self.workers.start()
            self._tasks = {asyncio.ensure_future(tick()) for tick in self.first}
            if self.renewal.current.value.settings.places:
                self._tasks.add(asyncio.ensure_future(asyncio.to_thread(warm_up)))
        apps = len(self.renewal.current.value.settings.places)
        facts = {"version": version("keyturn"), "role": self.role, "apps": apps}
        log.info("serving", extra={"host": host, "port": running.port, **facts})
        return running

    async def reload(self) -> bool:
        """Read the settings again and work by them; see `Renewal.reload`."""
        return await self.renewal.reload()

    async def stop(self, running: Running) -> None:
        """Close the door, let the work at hand finish, and stop."""
        if self.socket is not None:
            await self.socket.stop()
        await running.close()
        if self.admin is not None:
            await self.admin.close()
        admission = self.renewal.current.value.admission
        if admission is not None:
            await admission.finish()
        self.timer.shutdown(wait=False)
        if self.role is not Role.WEB:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.workers.stop()
        log.info("stopped")

    async def verify_audit(self) -> Verification:
        """Check the whole audit chain."""
        return await verify(self.store)


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    role: Role = Role.ALL,
    patience: Patience | None = None,
    reread: Reread | None = None,
) -> AsyncIterator[Service]:
    """Put the service together from *settings*; everything it opened is closed at the end.

    Only the database has to be reachable. Slack and Dify may come later. Another *patience*
    than the usual one is for tests. *reread* reads the settings again for `Service.reload`;
    without it they stay as they are.

    Raises:
        ConfigurationWrong: An app has a name that belongs to one that was included.
        Unavailable: The database cannot be opened.
        NotMigrated: Its schema is not this program's (PostgreSQL; SQLite migrates itself).
    """
    failpoint.arm(settings.failpoint)
    for line in settings.notices:
        log.warning("settings", extra={"notice": line})
    async with AsyncExitStack() as closing:
        await closing.enter_async_context(traced(settings, role))
        store = await open_migrated(settings)
        closing.push_async_callback(store.close)
        await _say_if_paused(store)
        assembly = _Assembly(settings, role, store, patience or Patience())
        closing.push_async_callback(assembly.http.close)
        async with store.read() as tx:
            included = await tx.included.all()
        service = assembly.service(included, reread or (lambda: settings))
        closing.push_async_callback(assembly.close, service.renewal.current)
        yield service


async def _say_if_paused(store: SqlStore) -> None:
    async with store.read() as tx:
        paused = await tx.pause.current()
    if paused is not None:
        facts = {"origin": paused.origin, "reason": paused.reason, "mend": "run `keyturn resume`"}
        log.warning("paused: nothing is executed", extra=facts)


class _Assembly:
    """Plugs the use cases together, again whenever the settings change."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        store: SqlStore,
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._store = store
        self._measuring = Measuring(store, role, self._ready)
        self.http = ClientSession(
            timeout=ClientTimeout(total=OUR_CALLS_S),
            trace_configs=self._measuring.traces("slack", at=settings.slack.api_url),
        )
        self._workers = jobs.Workers()
        self._timer = jobs.scheduler()
        owner = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._scheduled = Scheduled(
            store, self._timer, owner=owner, nudge=partial(self._workers.nudge, "home")
        )
        self._process = Process(role, owner, settings.execution_lease, patience)
        self._making = Making(
            self._process,
            store,
            self.http,
            measuring=self._measuring,
            nudge=self._workers.nudge,
            look_at_included=self._look_at_included,
        )

    def service(self, included: Sequence[IncludedApp], reread: Reread) -> Service:
        nudge = self._workers.nudge
        self._renewal: Renewal[Parts] = Renewal(
            self._store,
            self._settings,
            included,
            reread=reread,
            make=self._making,
            retire=retire,
            swapped=nudge,
        )
        current = self._renewal.current
        for name in current.value.steps:
            step = bound(current, partial(_take_step, name))
            fed = partial(nudge, *FEEDS[name]) if name in FEEDS else None
            self._workers.add(
                name, _then(step, fed), at_once=AT_ONCE.get(name, 1), breathes=name in BREATHES
            )
        first = () if self._process.role is Role.WEB else self._jobs(current)
        self._workers.add("jobs", self._scheduled.step, stuck_after_s=SLOT_LEASE.total_seconds())
        look = self._renewal.look_at_included
        jobs.add_local(self._timer, "included", INCLUDED_EVERY, run=look)
        routes = bound_routes(current, lambda parts: parts.routes)
        self._socket = self._slack_socket(current)
        return Service(
            store=self._store,
            application=self._door(routes),
            role=self._process.role,
            workers=self._workers,
            timer=self._timer,
            first=first,
            take_snapshots=_sweeper(current),
            see_recovery=bound(current, _see_recovery),
            renewal=self._renewal,
            socket=self._socket,
            admin=self._admin(),
        )

    def _door(self, routes: Iterable[web.RouteDef]) -> web.Application:
        around = [self._measuring.meter.middleware]
        return build_web(routes=routes, ready=self._ready, around=around)

    def _admin(self) -> Admin | None:
        port = self._settings.admin_port
        return Admin(self._door(self._measuring.inside()), port) if port is not None else None

    def _jobs(self, current: Current[Parts]) -> tuple[jobs.Run, ...]:
        sweep = _sweeper(current)
        follow_up = FollowUp(self._store)
        every = self._scheduled.every
        first = every(schedule.SNAPSHOT, sweep)
        every(schedule.CLOSER, bound(current, lambda parts: parts.look_closer()))
        every(schedule.EXPIRE, follow_up.expire_overdue)
        every(schedule.CLOSE, follow_up.close_cases)
        every(schedule.REMIND, bound(current, lambda parts: parts.follow_up.remind()))
        reviews = bound(current, lambda parts: parts.follow_up.remind_of_reviews())
        every(schedule.REMIND_REVIEWS, reviews)
        every(schedule.RECOVER, bound(current, _see_recovery))
        tidy = every(schedule.PRUNE, bound(current, self._prune))
        ask = bound(current, lambda parts: parts.probe())
        return first, tidy, jobs.add_local(self._timer, "probe", PROBE_EVERY, run=ask)

    async def _prune(self, parts: Parts) -> None:
        await prune(self._store, parts.settings.keeping, user_id=KEYTURN)

    async def close(self, current: Current[Parts]) -> None:
        """Close what the parts in force and those before them have opened."""
        await current.close()
        await current.value.outside.close()

    async def _look_at_included(self) -> None:
        await self._renewal.look_at_included()

    def _slack_socket(self, current: Current[Parts]) -> SocketMode | None:
        """The links to Slack of a process that takes in, when Slack comes in that way."""
        slack = self._settings.slack
        if self._process.role is Role.WORKER or slack.mode != "socket":
            return None

        async def admit(received: Received, *, size: int, digest: str) -> Answer:
            async with current.use() as parts:
                assert parts.admission is not None  # noqa: S101  # only a worker has none
                return await parts.admission(received, size=size, digest=digest)

        return SocketMode(
            app_token=slack.app_token.get_secret_value() if slack.app_token else "",
            base_url=slack.api_url,
            session=self.http,
            admit=admit,
            resync=Resync(self._store, nudge=self._workers.nudge),
            jitter=random.random,
            limits=self._process.patience.link,
        )

    async def _ready(self) -> Readiness:
        down: list[str] = []
        paused = None
        try:
            await self._store.check()
            async with self._store.read() as tx:
                paused = await tx.pause.current()
        except Unavailable:
            down.append("database")
        except NotMigrated:
            down.append("schema")
        if self._process.role is not Role.WEB:
            down += [f"worker:{name}" for name in self._workers.dead()]
        parts = self._renewal.current.value
        degraded = {*parts.probe.trouble, *(f"{name}:include" for name in parts.inclusion.trouble)}
        degraded |= {"alertmanager"} if parts.tell.trouble else set()
        degraded |= {"slack"} if parts.deliver.trouble else set()
        degraded |= {f"events.{name}" for name in parts.announce.trouble}
        degraded |= {"anchor_url"} if parts.anchoring.trouble else set()
        degraded |= {"settings"} if self._renewal.refused else set()
        degraded |= {"paused"} if paused else set()
        if self._socket is not None and self._socket.trouble:
            degraded.add("slack_socket")
        return Readiness(down=tuple(down), degraded=tuple(sorted(degraded)))


def _sweeper(current: Current[Parts]) -> Callable[[], Awaitable[None]]:
    """Look at every app, and at once again when that found other apps to watch."""
    sweep = bound(current, lambda parts: parts.sweep())

    async def swept() -> None:
        before = current.value
        await sweep()
        if current.value is not before:
            await sweep()

    return swept


async def _see_recovery(parts: Parts) -> None:
    """Whether a trouble is over is seen after asking for what our own silences keep from us."""
    try:
        await parts.listen()
    except (UpstreamDown, UpstreamRefused) as error:
        log.warning("silenced alerts not asked for", extra={"why": error.code})
    await parts.recover()
    await parts.subside()


async def _take_step(name: str, parts: Parts) -> bool:
    return await parts.steps[name]()


def _then(step: jobs.Step, feed: Callable[[], None] | None) -> jobs.Step:
    """Wake the workers that a step may have made work for, after each that found some."""
    if feed is None:
        return step

    async def stepped() -> bool:
        found = await step()
        if found:
            feed()
        return found

    return stepped
