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
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial

from aiohttp import ClientSession, ClientTimeout, web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from bot import jobs
from bot.adapters.alertmanager.routes import routes as alertmanager_routes
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.transport import TIMEOUT as DIFY_TIMEOUT
from bot.adapters.slack.admission import Admission, Answer
from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.door import routes as slack_routes
from bot.adapters.slack.link import Limits
from bot.adapters.slack.listeners import build_app as build_bolt
from bot.adapters.slack.socket_mode import SocketMode
from bot.adapters.slack.wire import Received
from bot.config.settings import DifySettings, Settings
from bot.opening import dify_target, open_migrated
from bot.renewal.bound import bound, bound_routes
from bot.renewal.current import Current
from bot.renewal.renewal import Renewal, Reread
from bot.renewal.watched import Watched
from bot.services.carry_out import Pause
from bot.services.decide import Decide
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from bot.services.execute import Execute
from bot.services.follow_up import FollowUp
from bot.services.include import Inclusion
from bot.services.include import Rules as IncludeRules
from bot.services.opening import Rules
from bot.services.places import Places
from bot.services.probe import Probe
from bot.services.propose import Propose
from bot.services.resync import Resync
from bot.services.snapshot import Snapshot
from bot.services.take_in import Intake, TakeIn
from bot.services.waiting import backoff
from bot.web import Readiness, Running
from bot.web import build as build_web
from bot.web import serve as open_door
from store import failpoint
from store.audit import Verification, verify
from store.records import InboxKind, IncludedApp, NewInboxItem, NotMigrated, Slot, Unavailable
from store.session import SqlStore

log = logging.getLogger(__name__)
SNAPSHOTS_EVERY = timedelta(seconds=30)
FOLLOW_UP_EVERY = timedelta(seconds=10)
PROBE_EVERY = timedelta(seconds=30)
INCLUDED_EVERY = timedelta(seconds=10)  # what another process found out
SLOT_LEASE = timedelta(minutes=5)
OUR_CALLS_S = 20.0
PRESSED = (InboxKind.CLICK, InboxKind.SUBMISSION)
TYPED = (InboxKind.COMMAND,)
# What may wait for a target a long time, and how much of it at once: others do not wait behind.
AT_ONCE = {"command": 8, "execute": 8}


class Role(StrEnum):
    """What a process does: take in what comes from outside, do the work, or both."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


def utc_now() -> datetime:
    """The one clock of this process; what replicas must agree on comes from the database."""
    return datetime.now(UTC)


async def _pause(tries: int) -> None:
    await asyncio.sleep(backoff(tries, jitter=random.random()).total_seconds())  # noqa: S311


_LINK = Limits()


@dataclass(frozen=True)
class Patience:
    """How long others are waited for.

    `pause` is between two tries of an execution's step, `call` for one call of Dify's, and `link`
    for the words of a socket to Slack.
    """

    pause: Pause = _pause
    call: ClientTimeout = DIFY_TIMEOUT
    link: Limits = _LINK


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
    renewal: Renewal[_Parts]
    socket: SocketMode | None  # the way in from Slack, unless it is the door
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)

    async def start(self, host: str, port: int) -> Running:
        """Open the door and start working; the caller hands what is returned to `stop`.

        Raises:
            OSError: The address is taken or is not ours.
        """
        running = await open_door(self.application, host, port)
        if self.socket is not None:
            self.socket.start()
        self.timer.start()
        if self.role is not Role.WEB:
            self.workers.start()
            self._tasks = {asyncio.ensure_future(tick()) for tick in self.first}
        log.info("serving", extra={"role": self.role, "port": running.port})
        return running

    async def reload(self) -> bool:
        """Read the settings again and work by them; see `Renewal.reload`."""
        return await self.renewal.reload()

    async def stop(self, running: Running) -> None:
        """Close the door, let the work at hand finish, and stop."""
        if self.socket is not None:
            await self.socket.stop()
        await running.close()
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
        store = await open_migrated(settings)
        closing.push_async_callback(store.close)
        http = await closing.enter_async_context(
            ClientSession(timeout=ClientTimeout(total=OUR_CALLS_S))
        )
        async with store.read() as tx:
            included = await tx.included.all()
        assembly = _Assembly(settings, role, store, http, patience or Patience())
        service = assembly.service(included, reread or (lambda: settings))
        closing.push_async_callback(assembly.close, service.renewal.current)
        yield service


@dataclass(frozen=True)
class _Outside:
    """The outside systems, as far as the settings name them; `reach` are places once watched."""

    messenger: SlackMessenger
    directory: SlackDirectory
    targets: dict[str, DifyTarget]
    places: Places
    reach: Places

    @classmethod
    def of(
        cls, watched: Watched, http: ClientSession, call: ClientTimeout, before: _Parts | None
    ) -> _Outside:
        """Make them; what has the same settings as *before* goes on, with its sessions."""
        settings = watched.settings
        targets = {
            f"dify.{name}": _same_target(before, name, dify)
            or dify_target(name, dify, timeout=call)
            for name, dify in settings.dify.items()
        }
        places = {
            where: (targets[place.target], place.id) for where, place in settings.places.items()
        }
        former = {
            where: (targets[place.target], place.id) for where, place in watched.former.items()
        }
        messenger, directory = _slack_of(settings, http, before)
        return cls(
            messenger=messenger,
            directory=directory,
            targets=targets,
            places=Places(places),
            reach=Places({**former, **places}),
        )


def _slack_of(
    settings: Settings, http: ClientSession, before: _Parts | None
) -> tuple[SlackMessenger, SlackDirectory]:
    """Those of *before* when nothing of Slack changed; else new ones that know the workspace."""
    slack, old = settings.slack, before.settings.slack if before else None
    if before and old == slack and before.settings.people == settings.people:
        return before.outside.messenger, before.outside.directory
    team = slack.team
    if before and old and (old.bot_token, old.api_url) == (slack.bot_token, slack.api_url):
        team = team or before.outside.directory.team_id
    token = slack.bot_token.get_secret_value() if slack.bot_token else ""
    return SlackMessenger(token=token, base_url=slack.api_url, session=http), SlackDirectory(
        token=token,
        base_url=slack.api_url,
        session=http,
        team_id=team,
        aliases=settings.people,
    )


def _same_target(before: _Parts | None, name: str, dify: DifySettings) -> DifyTarget | None:
    """The target of *before* for the same account: its login, or its refusal, stays known."""
    old = before.settings.dify.get(name) if before else None
    if before is None or old is None or replace(old, include=None) != replace(dify, include=None):
        return None
    return before.outside.targets[f"dify.{name}"]


@dataclass(frozen=True)
class _Parts:
    """Everything that is made of settings, and swapped as a whole when they change."""

    settings: Settings
    outside: _Outside
    keys: tuple[bytes, ...]
    steps: Mapping[str, jobs.Step]
    routes: tuple[web.RouteDef, ...]
    sweep: Callable[[], Awaitable[object]]
    probe: Probe
    deliver: Deliver
    inclusion: Inclusion
    admission: Admission | None  # None in a worker, which takes in nothing


class _Assembly:
    """Plugs the use cases together, again whenever the settings change."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        store: SqlStore,
        http: ClientSession,
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._role = role
        self._store = store
        self._http = http
        self._patience = patience
        self._lease = settings.execution_lease
        self._workers = jobs.Workers()
        self._timer = jobs.scheduler()
        self._owner = f"{socket.gethostname()}-{secrets.token_hex(4)}"

    def service(self, included: Sequence[IncludedApp], reread: Reread) -> Service:
        nudge = self._workers.nudge
        self._renewal: Renewal[_Parts] = Renewal(
            self._store,
            self._settings,
            included,
            reread=reread,
            make=self._parts,
            retire=_retire,
            swapped=nudge,
        )
        current = self._renewal.current
        for name in current.value.steps:
            step = bound(current, partial(_take_step, name))
            self._workers.add(name, _then_nudge(step, nudge), at_once=AT_ONCE.get(name, 1))
        first = () if self._role is Role.WEB else self._jobs(current)
        look = self._renewal.look_at_included
        jobs.add_local(self._timer, "included", INCLUDED_EVERY, run=look)
        routes = bound_routes(current, lambda parts: parts.routes)
        self._socket = self._slack_socket(current)
        return Service(
            store=self._store,
            application=build_web(routes=routes, ready=self._ready),
            role=self._role,
            workers=self._workers,
            timer=self._timer,
            first=first,
            take_snapshots=_sweeper(current),
            renewal=self._renewal,
            socket=self._socket,
        )

    def _jobs(self, current: Current[_Parts]) -> tuple[jobs.Run, ...]:
        sweep = _sweeper(current)
        follow_up = FollowUp(self._store)
        first = self._every(SNAPSHOTS_EVERY, "snapshot", sweep)
        self._every(FOLLOW_UP_EVERY, "expire", follow_up.expire_overdue)
        self._every(FOLLOW_UP_EVERY, "close", follow_up.close_cases)
        ask = bound(current, lambda parts: parts.probe())
        return first, jobs.add_local(self._timer, "probe", PROBE_EVERY, run=ask)

    async def close(self, current: Current[_Parts]) -> None:
        """Close what the parts in force and those before them have opened."""
        await current.close()
        for target in current.value.outside.targets.values():
            await target.close()

    def _parts(self, watched: Watched, before: _Parts | None) -> _Parts:
        settings, store = watched.settings, self._store
        outside = _Outside.of(watched, self._http, self._patience.call, before)
        nudge = self._workers.nudge
        keys = derive(settings.secret_keys, b"keyturn/buttons/v1")
        channels = {where: place.channel for where, place in settings.places.items()}
        rules = Rules(
            policies=settings.policies,
            channels=channels,
            waited=settings.alerts.usual_for,
            lookback=settings.alerts.lookback,
        )
        inclusion = self._inclusion(watched, outside)
        snapshot = Snapshot(
            store,
            outside.places,
            nudge=nudge,
            inclusion=inclusion,
            included=self._look_at_included,
        )
        propose = Propose(
            store,
            outside.places,
            outside.directory,
            snapshot,
            rules,
            nonce=lambda: secrets.token_hex(16),
        )
        deliver = self._deliverer(outside, keys, before)
        admission = self._admitting(outside)
        meaning = partial(settings.alerts.labels.where, known=channels)
        steps = {
            "take_in": TakeIn(store, channels, meaning=meaning).step,
            "propose": propose.step,
            "decide": self._decider(outside, keys, propose, rules, PRESSED).step,
            "command": self._decider(outside, keys, propose, rules, TYPED).step,
            "execute": Execute(
                store,
                outside.reach,
                outside.directory,
                owner=self._owner,
                pause=self._patience.pause,
                lease=self._lease,
            ).step,
            "deliver": deliver.step,
            "import": snapshot.backfill,
        }
        return _Parts(
            settings=settings,
            outside=outside,
            keys=keys,
            steps=steps,
            routes=tuple(self._routes(settings, admission)),
            sweep=snapshot.sweep,
            probe=self._prober(outside, before),
            deliver=deliver,
            inclusion=inclusion,
            admission=admission,
        )

    async def _look_at_included(self) -> None:
        await self._renewal.look_at_included()

    def _inclusion(self, watched: Watched, outside: _Outside) -> Inclusion:
        includes = {f"dify.{name}": d.include for name, d in watched.settings.dify.items()}
        wanted = {name: include for name, include in includes.items() if include is not None}
        return Inclusion(
            self._store,
            IncludeRules(
                targets={name: outside.targets[name] for name in wanted},
                includes=wanted,
                tables={(place.target, place.id) for place in watched.own.values()},
                names=frozenset(watched.own),
            ),
        )

    def _prober(self, outside: _Outside, before: _Parts | None) -> Probe:
        return Probe(
            {
                "slack": outside.directory.greet,
                **{name: target.greet for name, target in outside.targets.items()},
            },
            trouble=before.probe.trouble if before else {},
        )

    def _deliverer(
        self, outside: _Outside, keys: Sequence[bytes], before: _Parts | None
    ) -> Deliver:
        """What Slack asked to wait for is not forgotten while nothing changes there."""
        if before and before.outside.messenger is outside.messenger and before.keys == keys:
            return before.deliver
        differences = Differences()
        return Deliver(
            self._store,
            outside.messenger,
            Drawing(self._store, differences, keys=keys),
            differences,
            owner=self._owner,
            jitter=random.random,
            lease=3 * self._lease,
        )

    def _decider(
        self,
        outside: _Outside,
        keys: Sequence[bytes],
        propose: Propose,
        rules: Rules,
        kinds: Collection[InboxKind],
    ) -> Decide:
        return Decide(
            self._store,
            outside.directory,
            propose.requested,
            policy_of=rules.policy,
            keys=keys,
            owner=self._owner,
            nudge=self._workers.nudge,
            jitter=random.random,
            lease=2 * self._lease,
            kinds=kinds,
        )

    def _every(self, period: timedelta, name: str, run: jobs.Run) -> jobs.Run:
        """Run *run* once a period over all replicas: each tick claims its slot."""

        async def claim(job: str, length: timedelta) -> Slot | None:
            async with self._store.write() as tx:
                return await tx.slots.claim(job, period=length, owner=self._owner, lease=SLOT_LEASE)

        async def finish(slot: Slot) -> None:
            async with self._store.write() as tx:
                await tx.slots.finish(slot)

        return jobs.add(self._timer, name, period, claim=claim, finish=finish, run=run)

    def _routes(self, settings: Settings, admission: Admission | None) -> Iterable[web.RouteDef]:
        if admission is None:
            return []
        nudge = self._workers.nudge
        return [
            *alertmanager_routes(
                tokens=[token.get_secret_value() for token in settings.webhook_tokens],
                labels=settings.alerts.labels,
                known=settings.places,
                take_in=Intake(self._store, nudge=lambda: nudge("take_in")),
            ),
            *(self._slack_door(settings, admission) if settings.slack.mode != "socket" else []),
        ]

    def _slack_door(self, settings: Settings, admit: Admission) -> list[web.RouteDef]:
        signing = settings.slack.signing_secrets
        return slack_routes(
            admit,
            signing_secrets=[secret.get_secret_value().encode() for secret in signing],
            clock=utc_now,
        )

    def _slack_socket(self, current: Current[_Parts]) -> SocketMode | None:
        """The links to Slack of a process that takes in, when Slack comes in that way."""
        slack = self._settings.slack
        if self._role is Role.WORKER or slack.mode != "socket":
            return None

        async def admit(received: Received, *, size: int, digest: str) -> Answer:
            async with current.use() as parts:
                assert parts.admission is not None  # noqa: S101  # only a worker has none
                return await parts.admission(received, size=size, digest=digest)

        return SocketMode(
            app_token=slack.app_token.get_secret_value() if slack.app_token else "",
            base_url=slack.api_url,
            session=self._http,
            admit=admit,
            resync=Resync(self._store, nudge=self._workers.nudge),
            jitter=random.random,
            limits=self._patience.link,
        )

    def _admitting(self, outside: _Outside) -> Admission | None:
        """What takes in from Slack, whichever way; a worker takes in nothing."""
        if self._role is Role.WORKER:
            return None

        async def put(item: NewInboxItem) -> bool:
            async with self._store.write() as tx:
                new = await tx.inbox.put(item)
            self._workers.nudge("decide", "command")
            return new

        return Admission(build_bolt(put=put, forms=outside.messenger), team=outside.directory.team)

    async def _ready(self) -> Readiness:
        down: list[str] = []
        try:
            await self._store.check()
        except Unavailable:
            down.append("database")
        except NotMigrated:
            down.append("schema")
        if self._role is not Role.WEB:
            down += [f"worker:{name}" for name in self._workers.dead()]
        parts = self._renewal.current.value
        degraded = {*parts.probe.trouble, *(f"{name}:include" for name in parts.inclusion.trouble)}
        degraded |= {"slack"} if parts.deliver.trouble else set()
        degraded |= {"settings"} if self._renewal.refused else set()
        if self._socket is not None and self._socket.trouble:
            degraded.add("slack_socket")
        return Readiness(down=tuple(down), degraded=tuple(sorted(degraded)))


def _sweeper(current: Current[_Parts]) -> Callable[[], Awaitable[None]]:
    """Look at every app, and at once again when that found other apps to watch."""
    sweep = bound(current, lambda parts: parts.sweep())

    async def swept() -> None:
        before = current.value
        await sweep()
        if current.value is not before:
            await sweep()

    return swept


async def _take_step(name: str, parts: _Parts) -> bool:
    return await parts.steps[name]()


async def _retire(old: _Parts, new: _Parts) -> None:
    """Let what was acknowledged end, and close the connections of targets no longer used."""
    if old.admission is not None:
        await old.admission.finish()
    kept = {id(target) for target in new.outside.targets.values()}
    for target in old.outside.targets.values():
        if id(target) not in kept:
            await target.close()


def derive(keys: Iterable[SecretStr], purpose: bytes) -> tuple[bytes, ...]:
    """Derive one key per secret for one *purpose*, by HKDF (RFC 5869), in the same order."""
    return tuple(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(
            key.get_secret_value().encode()
        )
        for key in keys
    )


def _then_nudge(step: jobs.Step, nudge: Callable[[], None]) -> jobs.Step:
    """Wake the other workers after each step that found work: it may have made some for them."""

    async def stepped() -> bool:
        found = await step()
        if found:
            nudge()
        return found

    return stepped
