"""What the service and the commands stand on, opened: the database, a Dify workspace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from aiohttp import ClientTimeout, TraceConfig

from bot import spans
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account, AdminKey, Credentials
from bot.adapters.dify.transport import TIMEOUT
from bot.adapters.eventfile.client import EventFile
from bot.adapters.eventhook.client import Webhook
from bot.adapters.eventhook.wire import key_of
from bot.adapters.kafka.client import Broker, KafkaTopic
from bot.adapters.prometheus.client import Prometheus, basic, bearer
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.prometheus.questions import WHOLE
from bot.config.settings import DifySettings, EventSink, PrometheusSettings, Settings
from bot.domain import approval
from bot.domain.anchoring import is_event
from bot.ports.events import Sink
from bot.services.closer import Closer
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from bot.services.places import Places
from bot.services.rehearse import Rehearse
from bot.services.snapshot import Snapshot
from store.audit import verify
from store.records import AppEnv, AuditAnchor, Verification
from store.session import SqlStore, migrate, open_store


async def open_migrated(settings: Settings) -> SqlStore:
    """Open the database; an SQLite file is brought to the newest schema first."""
    url = settings.database_url.get_secret_value()
    if settings.on_sqlite:
        await asyncio.to_thread(migrate, url)
    store = await open_store(url, moves=approval.MOVES, traced=spans.trace_id, anchored=is_event)
    try:
        await store.check()
    except BaseException:
        await store.close()
        raise
    return store


def migrate_database(url: str) -> None:
    """Bring the database at *url* to the newest schema; safe when several do so at once.

    Raises:
        Unavailable: The database cannot be opened.
    """
    migrate(url)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqlStore]:
    """The store at *url*, whose schema is left as it is; closed at the end.

    Raises:
        Unavailable: The database cannot be opened.
        NotMigrated: Its schema is not this program's.
    """
    store = await open_store(url, moves=approval.MOVES, anchored=is_event)
    try:
        await store.check()
        yield store
    finally:
        await store.close()


async def verify_audit(url: str, anchors: Iterable[AuditAnchor] = ()) -> Verification:
    """Check the whole audit chain of the database at *url*; nothing of it is changed.

    *anchors* are heads that were kept elsewhere: each has to be in it.

    Raises:
        Unavailable, NotMigrated: As `opened`.
    """
    async with opened(url) as store:
        return await verify(store, anchors)


def dify_target(
    name: str,
    dify: DifySettings,
    *,
    timeout: ClientTimeout = TIMEOUT,
    traces: Sequence[TraceConfig] = (),
) -> DifyTarget:
    """The workspace of the table `[dify.NAME]`; nothing is asked of it yet.

    *traces* measure its requests.
    """
    return DifyTarget(
        f"dify.{name}",
        url=dify.url,
        credentials=_credentials(dify),
        timeout=timeout,
        traces=traces,
    )


def _credentials(dify: DifySettings) -> Credentials:
    if dify.admin_key is not None:
        return AdminKey(dify.admin_key.get_secret_value(), dify.workspace)
    return Account(dify.email, dify.password.get_secret_value())


def look_back(
    settings: Settings, *, traces: Sequence[TraceConfig] = ()
) -> PrometheusLookBack | None:
    """What asks Prometheus, None where none is named; nothing is asked of it yet."""
    prometheus = settings.prometheus
    if prometheus is None:
        return None
    return PrometheusLookBack(
        Prometheus(
            prometheus.url,
            authorization=authorization(prometheus),
            timeout=prometheus.timeout,
            traces=traces,
        ),
        prometheus.questions,
        labels=settings.alerts.labels,
        known=settings.places,
        step=prometheus.step,
        lookback=prometheus.lookback,
        patience=WHOLE * prometheus.timeout,
    )


def event_sink(
    name: str,
    sink: EventSink,
    *,
    base: str,
    clock: Callable[[], datetime],
    traces: Sequence[TraceConfig] = (),
) -> Sink:
    """The sink of the table `[events.NAME]`; nothing is opened yet.

    *base* is our own public address, *clock* the time for signatures; *traces* measure requests.
    """
    called = f"events.{name}"
    secret = sink.secret.get_secret_value() if sink.secret else ""
    match sink.kind:
        case "webhook":
            return Webhook(
                called,
                url=sink.url,
                key=key_of(secret),
                base=base,
                timeout=sink.timeout,
                clock=clock,
                traces=traces,
            )
        case "file":
            return EventFile(
                called, path=sink.path, most_bytes=sink.most_bytes, keep=sink.keep, base=base
            )
        case "kafka":
            broker = Broker(sink.brokers, sink.tls, sink.ca_file, sink.mechanism, sink.user, secret)
            return KafkaTopic(
                called, topic=sink.topic, broker=broker, base=base, timeout=sink.timeout
            )


def authorization(prometheus: PrometheusSettings) -> str:
    """The header that lets us in; "" where none is needed."""
    if prometheus.token is not None:
        return bearer(prometheus.token.get_secret_value())
    if prometheus.password is not None:
        return basic(prometheus.user, prometheus.password.get_secret_value())
    return ""


@dataclass(frozen=True)
class Desk:
    """What a command works with: the store, and the configured apps in their workspaces."""

    store: SqlStore
    places: Places
    channels: Mapping[AppEnv, str]

    def closer(self, where: AppEnv) -> Closer:
        """A closer look at *where* alone."""
        only = Places({where: self.places.of(where)})
        refresh = self.snapshot(where).refresh
        return Closer(self.store, only, refresh, channels=self.channels, nudge=_nobody)

    def snapshot(self, where: AppEnv) -> Snapshot:
        """Snapshots of *where* alone; a service that runs beside it looks by itself."""
        only = Places({where: self.places.of(where)})
        return Snapshot(self.store, only, nudge=_nobody)

    def rehearse(self, where: AppEnv, rules: Rules) -> Rehearse:
        """Everything of a rollback of *where* but the write, under *rules*."""
        at_once = [where] if self.places.rolls_back_config(where) else []
        only = Places({where: self.places.of(where)}, rolls_back_config=at_once)
        opening = Opening(self.store, only, rules, nonce=str)
        return Rehearse(self.store, only, self.snapshot(where).refresh, rules, opening)


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the database (an SQLite file is migrated first) and the workspaces of *settings*.

    Raises:
        Unavailable, NotMigrated: As `open_migrated`.
    """
    async with AsyncExitStack() as closing:
        store = await open_migrated(settings)
        closing.push_async_callback(store.close)
        targets = {f"dify.{name}": dify_target(name, d) for name, d in settings.dify.items()}
        for target in targets.values():
            closing.push_async_callback(target.close)
        places = {w: (targets[place.target], place.id) for w, place in settings.places.items()}
        channels = {where: place.channel for where, place in settings.places.items()}
        at_once = {w for w, place in settings.places.items() if place.rolls_back_config}
        yield Desk(store, Places(places, rolls_back_config=at_once), channels)


def rules_of(settings: Settings) -> Rules:
    """What proposing needs of *settings*."""
    return Rules(
        policies=settings.policies,
        channels={where: place.channel for where, place in settings.places.items()},
        criticality={name: app.criticality for name, app in settings.apps.items()},
        waited=settings.alerts.usual_for,
        lookback=settings.alerts.lookback,
        thresholds=settings.alerts.thresholds,
        depends_on={name: app.depends_on for name, app in settings.apps.items()},
        drills=frozenset(name for name, app in settings.apps.items() if app.drill),
    )


def _nobody() -> None:
    """There is no worker here to wake."""
