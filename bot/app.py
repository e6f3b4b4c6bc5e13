"""The composition root: settings in, a running service out, everything closed on the way down."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from aiohttp import ClientSession, ClientTimeout, web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from bot import jobs
from bot.adapters.alertmanager.routes import routes as alertmanager_routes
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.transport import TIMEOUT as DIFY_TIMEOUT
from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.door import routes as slack_routes
from bot.adapters.slack.listeners import build_app as build_bolt
from bot.config.settings import Settings
from bot.opening import dify_target, open_migrated
from bot.services.carry_out import Pause
from bot.services.decide import Decide
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from bot.services.execute import Execute
from bot.services.follow_up import FollowUp
from bot.services.places import Places
from bot.services.probe import Probe
from bot.services.propose import Propose, Rules
from bot.services.snapshot import Snapshot
from bot.services.take_in import Intake, TakeIn
from bot.services.waiting import backoff
from bot.web import Readiness, Running
from bot.web import build as build_web
from bot.web import serve as open_door
from store import failpoint
from store.audit import Verification, verify
from store.records import NewInboxItem, NotMigrated, Slot, Unavailable
from store.session import SqlStore

log = logging.getLogger(__name__)
SNAPSHOTS_EVERY = timedelta(seconds=30)
FOLLOW_UP_EVERY = timedelta(seconds=10)
PROBE_EVERY = timedelta(seconds=30)
SLOT_LEASE = timedelta(minutes=5)
OUR_CALLS_S = 20.0


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


@dataclass(frozen=True)
class Patience:
    """How long an execution waits for Dify: between two tries of a step, and for one call."""

    pause: Pause = _pause
    call: ClientTimeout = DIFY_TIMEOUT


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
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)

    async def start(self, host: str, port: int) -> Running:
        """Open the door and start working; the caller hands what is returned to `stop`.

        Raises:
            OSError: The address is taken or is not ours.
        """
        running = await open_door(self.application, host, port)
        if self.role is not Role.WEB:
            self.workers.start()
            self.timer.start()
            self._tasks = {asyncio.ensure_future(tick()) for tick in self.first}
        log.info("serving", extra={"role": self.role, "port": running.port})
        return running

    async def stop(self, running: Running) -> None:
        """Close the door, let the work at hand finish, and stop."""
        await running.close()
        if self.role is not Role.WEB:
            self.timer.shutdown(wait=False)
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
    settings: Settings, *, role: Role = Role.ALL, patience: Patience | None = None
) -> AsyncIterator[Service]:
    """Put the service together from *settings*; everything it opened is closed at the end.

    Only the database has to be reachable. Slack and Dify may come later. Another *patience*
    than the usual one is for tests.

    Raises:
        Unavailable: The database cannot be opened.
        NotMigrated: Its schema is not this program's (PostgreSQL; SQLite migrates itself).
    """
    failpoint.arm(settings.failpoint)
    async with AsyncExitStack() as closing:
        store = await open_migrated(settings)
        closing.push_async_callback(store.close)
        http = await closing.enter_async_context(
            ClientSession(timeout=ClientTimeout(total=OUR_CALLS_S))
        )
        patience = patience or Patience()
        outside = _Outside.of(settings, http, patience.call)
        for target in outside.targets.values():
            closing.push_async_callback(target.close)
        yield _Assembly(settings, role, store, outside, patience.pause).service()


@dataclass(frozen=True)
class _Outside:
    """The outside systems, as far as the settings name them."""

    messenger: SlackMessenger
    directory: SlackDirectory
    targets: dict[str, DifyTarget]
    places: Places

    @classmethod
    def of(cls, settings: Settings, http: ClientSession, call: ClientTimeout) -> _Outside:
        slack = settings.slack
        token = slack.bot_token.get_secret_value() if slack.bot_token else ""
        targets = {
            f"dify.{name}": dify_target(name, dify, timeout=call)
            for name, dify in settings.dify.items()
        }
        return cls(
            messenger=SlackMessenger(token=token, base_url=slack.api_url, session=http),
            directory=SlackDirectory(
                token=token,
                base_url=slack.api_url,
                session=http,
                team_id=slack.team,
                aliases=settings.people,
            ),
            targets=targets,
            places=Places(
                {
                    where: (targets[place.target], place.id)
                    for where, place in settings.places.items()
                }
            ),
        )


class _Assembly:
    """Plugs the use cases together; lives only while `build` runs."""

    def __init__(
        self, settings: Settings, role: Role, store: SqlStore, outside: _Outside, pause: Pause
    ) -> None:
        self._settings = settings
        self._pause = pause
        self._role = role
        self._store = store
        self._outside = outside
        self._workers = jobs.Workers()
        self._timer = jobs.scheduler()
        self._owner = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._keys = derive(settings.secret_keys, b"keyturn/buttons/v1")
        self._probe = Probe(
            {
                "slack": outside.directory.greet,
                **{name: target.greet for name, target in outside.targets.items()},
            }
        )

    def service(self) -> Service:
        settings, store, outside = self._settings, self._store, self._outside
        nudge = self._workers.nudge
        channels = {where: place.channel for where, place in settings.places.items()}
        rules = Rules(
            policies=settings.policies,
            channels=channels,
            waited=settings.alerts.usual_for,
            lookback=settings.alerts.lookback,
        )
        snapshot = Snapshot(store, outside.places, nudge=nudge)
        propose = Propose(
            store,
            outside.places,
            outside.directory,
            snapshot,
            rules,
            nonce=lambda: secrets.token_hex(16),
        )
        self._deliver = self._deliverer()
        steps = {
            "take_in": TakeIn(store, channels).step,
            "propose": propose.step,
            "decide": self._decider(propose, rules).step,
            "execute": Execute(
                store,
                outside.places,
                outside.directory,
                owner=self._owner,
                pause=self._pause,
                lease=settings.execution_lease,
            ).step,
            "deliver": self._deliver.step,
            "import": snapshot.backfill,
        }
        for name, step in steps.items():
            self._workers.add(name, _then_nudge(step, nudge))
        follow_up = FollowUp(store)
        first = self._every(SNAPSHOTS_EVERY, "snapshot", snapshot.sweep)
        self._every(FOLLOW_UP_EVERY, "expire", follow_up.expire_overdue)
        self._every(FOLLOW_UP_EVERY, "close", follow_up.close_cases)
        probe = jobs.add_local(self._timer, "probe", PROBE_EVERY, run=self._probe)
        return Service(
            store=store,
            application=build_web(routes=self._routes(), ready=self._ready),
            role=self._role,
            workers=self._workers,
            timer=self._timer,
            first=(first, probe),
            take_snapshots=snapshot.sweep,
        )

    def _deliverer(self) -> Deliver:
        differences = Differences()
        return Deliver(
            self._store,
            self._outside.messenger,
            Drawing(self._store, differences, keys=self._keys),
            differences,
            owner=self._owner,
            jitter=random.random,
            lease=3 * self._settings.execution_lease,
        )

    def _decider(self, propose: Propose, rules: Rules) -> Decide:
        return Decide(
            self._store,
            self._outside.directory,
            propose.requested,
            policy_of=rules.policy,
            keys=self._keys,
            owner=self._owner,
            nudge=self._workers.nudge,
            jitter=random.random,
            lease=2 * self._settings.execution_lease,
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

    def _routes(self) -> Iterable[web.RouteDef]:
        settings = self._settings
        if self._role is Role.WORKER:
            return []
        nudge = self._workers.nudge

        async def put(item: NewInboxItem) -> bool:
            async with self._store.write() as tx:
                new = await tx.inbox.put(item)
            nudge("decide")
            return new

        return [
            *alertmanager_routes(
                tokens=[token.get_secret_value() for token in settings.webhook_tokens],
                labels=settings.alerts.labels,
                known=settings.places,
                take_in=Intake(self._store, nudge=lambda: nudge("take_in")),
            ),
            *slack_routes(
                build_bolt(put=put, forms=self._outside.messenger),
                signing_secrets=[
                    secret.get_secret_value().encode() for secret in settings.slack.signing_secrets
                ],
                team=self._outside.directory.team,
                clock=utc_now,
            ),
        ]

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
        degraded = set(self._probe.trouble) | ({"slack"} if self._deliver.trouble else set())
        return Readiness(down=tuple(down), degraded=tuple(sorted(degraded)))


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
