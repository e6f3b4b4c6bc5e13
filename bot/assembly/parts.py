"""Everything that is made of settings, plugged together anew whenever they change."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from bot import jobs, spans
from bot.adapters.alertmanager import grafana
from bot.adapters.alertmanager.routes import routes as alertmanager_routes
from bot.adapters.browser.routes import path_of
from bot.adapters.browser.routes import routes as page_routes
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.door import routes as slack_routes
from bot.adapters.slack.listeners import build_app as build_bolt
from bot.adapters.webhooks.routes import Sender
from bot.adapters.webhooks.routes import routes as webhook_routes
from bot.assembly.measuring import Measuring
from bot.assembly.outside import Outside
from bot.assembly.process import Process, Role
from bot.charting.apart import chart_apart
from bot.config.settings import AppSettings, Settings
from bot.domain import link
from bot.opening import rules_of
from bot.renewal.watched import Watched
from bot.sealing import KeyedSealing
from bot.services.alerting.listen import Listen
from bot.services.alerting.standing import Standings
from bot.services.alerting.tell import Manner, Tell
from bot.services.anchoring import Anchoring
from bot.services.announce import Announce, Followed
from bot.services.asker import Reception
from bot.services.calling import Calling
from bot.services.choices import Apps
from bot.services.closer import Closer
from bot.services.complete import Complete
from bot.services.core import CoreChanges
from bot.services.core import Watched as CoreWatched
from bot.services.decide import Decide
from bot.services.deliver import Deliver
from bot.services.drawing import Address, Differences, Drawing
from bot.services.execute import Execute
from bot.services.follow_up import FollowUp
from bot.services.grouped import Grouped
from bot.services.home.drawing import HomeDrawing
from bot.services.home.jobs import JobButtons, Managers
from bot.services.home.keeping import HomeKeeping
from bot.services.home.recent import RecentDirectory
from bot.services.home.switching import DirectSwitch
from bot.services.include import Inclusion
from bot.services.include import Rules as IncludeRules
from bot.services.intake import Intake
from bot.services.opening import Rules
from bot.services.page import page
from bot.services.probe import Probe
from bot.services.propose import Propose
from bot.services.record import Records
from bot.services.recover import Recover
from bot.services.sight import Sight
from bot.services.snapshot import Snapshot
from bot.services.subside import Subside
from bot.services.take_in import TakeIn
from store.records import AppEnv, InboxKind, NewInboxItem
from store.session import SqlStore

PRESSED = (InboxKind.CLICK, InboxKind.SUBMISSION)
TYPED = (InboxKind.COMMAND,)
ANCHOR_KEY = b"keyturn/anchors/v1"


def utc_now() -> datetime:
    """The one clock of this process; what replicas must agree on comes from the database."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """Everything that is made of settings, and swapped as a whole when they change."""

    settings: Settings
    outside: Outside
    keys: tuple[bytes, ...]
    steps: Mapping[str, jobs.Step]
    routes: tuple[web.RouteDef, ...]
    sweep: Callable[[], Awaitable[object]]
    look_closer: Callable[[], Awaitable[object]]
    follow_up: FollowUp
    recover: Recover
    subside: Subside
    tell: Tell
    listen: Listen
    probe: Probe
    deliver: Deliver
    announce: Announce
    anchoring: Anchoring
    inclusion: Inclusion
    admission: Admission | None  # None in a worker, which takes in nothing


class Making:
    """Makes parts for one process."""

    def __init__(
        self,
        process: Process,
        store: SqlStore,
        http: ClientSession,
        *,
        measuring: Measuring,
        nudge: Callable[..., None],
        look_at_included: Callable[[], Awaitable[object]],
    ) -> None:
        """Take what stays the same when settings change.

        Args:
            process: This process: its role, owner's name, lease and patience.
            store: The opened database.
            http: The connections for Slack.
            measuring: What counts, and the page of it.
            nudge: Wakes workers by name, all without one.
            look_at_included: Called when other apps are included than before.
        """
        self._process = process
        self._store = store
        self._http = http
        self._measuring = measuring
        self._nudge = nudge
        self._look_at_included = look_at_included
        self._intake = Grouped(Intake(store, nudge=partial(nudge, "take_in")))

    def __call__(self, watched: Watched, before: Parts | None) -> Parts:
        """Make the parts for *watched*; what has not changed since *before* goes on."""
        settings, store = watched.settings, self._store
        outside = Outside.of(
            watched,
            self._http,
            self._process.patience.call,
            before,
            traces=self._measuring.traces,
            clock=utc_now,
            anchor_keys=derive(settings.secret_keys, ANCHOR_KEY),
        )
        nudge = self._nudge
        keys = derive(settings.secret_keys, b"keyturn/buttons/v1")
        channels = {where: place.channel for where, place in settings.places.items()}
        rules = rules_of(settings)
        inclusion = self._inclusion(watched, outside)
        snapshot = Snapshot(
            store,
            outside.places,
            nudge=nudge,
            channels=channels,
            inclusion=inclusion,
            included=self._look_at_included,
        )
        closer = Closer(store, outside.places, snapshot.refresh, channels=channels, nudge=nudge)
        propose = Propose(
            store,
            outside.places,
            outside.directory,
            snapshot,
            rules,
            nonce=lambda: secrets.token_hex(16),
            look_back=outside.look_back,
        )
        links = derive(settings.secret_keys, b"keyturn/links/v1")
        address = _address(settings.public_url, links)
        kept = before if before and before.settings.public_url == settings.public_url else None
        recent = RecentDirectory(outside.directory, clock=time.monotonic)
        calling = Calling(
            store,
            outside.messenger,
            recent,
            settings.slack.calling,
            owner=self._process.owner,
            jitter=random.random,
        )
        deliver = self._deliverer(settings, outside, keys, address, kept, calling)
        announce = self._announcer(settings, outside, before)
        anchoring = Anchoring(
            store,
            outside.anchors,
            owner=self._process.owner,
            jitter=random.random,
            lease=2 * self._process.lease,
        )
        admission = self._admitting(outside, recent, rules)
        meaning = partial(settings.alerts.labels.where, known=channels)
        managers, acting = settings.job_managers, (propose, closer)
        decider = partial(self._decider, outside, keys, acting, rules, managers=managers)
        tell = self._teller(settings, outside, address)
        steps = {
            "take_in": TakeIn(
                store,
                channels,
                meaning=meaning,
                nudge=partial(nudge, "propose", "deliver"),
                monotonic=time.monotonic,
            ).step,
            "complete": Complete(
                store, tuple(outside.alertmanagers.values()), jitter=random.random
            ).step,
            "propose": propose.step,
            "decide": decider(kinds=PRESSED).step,
            "command": decider(kinds=TYPED).step,
            "execute": Execute(
                store,
                outside.reach,
                outside.directory,
                owner=self._process.owner,
                sealing=KeyedSealing(derive(settings.secret_keys, b"keyturn/seals/v1")),
                pause=self._process.patience.pause,
                lease=self._process.lease,
                frozen=rules.frozen,
                practises=rules.practises,
            ).step,
            "deliver": deliver.step,
            "import": snapshot.backfill,
            "home": self._homes(settings, outside, recent, rules).step,
            "direct": calling.step,
            "announce": announce.step,
            "anchor": anchoring.step,
            "alertmanager": tell.step,
            "core": CoreChanges(
                store,
                _core_of(settings),
                owner=self._process.owner,
                lease=2 * self._process.lease,
                nudge=partial(nudge, "deliver"),
            ).step,
        }
        return Parts(
            settings=settings,
            outside=outside,
            keys=keys,
            steps=steps,
            routes=(
                *self._routes(settings, admission),
                *self._pages(links),
                *self._measuring.public(settings),
            ),
            sweep=snapshot.sweep,
            look_closer=closer.sweep,
            follow_up=FollowUp(store, quiet=rules.quiet, voters=rules.voters),
            recover=Recover(
                store,
                outside.look_back,
                waited=rules.waited,
                bake=settings.alerts.bake,
                quiet=settings.alerts.quiet,
            ),
            subside=Subside(
                store,
                outside.look_back,
                withdraws=lambda where: rules.policy(where).withdraw_recovered,
                waited=rules.waited,
            ),
            tell=tell,
            listen=Listen(
                store,
                outside.alertmanagers,
                frozenset(settings.places),
                settings.alerts.labels,
                nudge=partial(nudge, "take_in"),
                quiet=settings.alerts.quiet,
            ),
            probe=self._prober(outside, before),
            deliver=deliver,
            announce=announce,
            anchoring=anchoring,
            inclusion=inclusion,
            admission=admission,
        )

    def _inclusion(self, watched: Watched, outside: Outside) -> Inclusion:
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

    def _prober(self, outside: Outside, before: Parts | None) -> Probe:
        return Probe(
            {
                "slack": outside.directory.greet,
                **{name: target.greet for name, target in outside.targets.items()},
            },
            trouble=before.probe.trouble if before else {},
        )

    def _pages(self, links: Sequence[bytes]) -> list[web.RouteDef]:
        """The pages for browsers, of a process that has a door; without a key nothing opens."""
        if self._process.role is Role.WORKER:
            return []
        return page_routes(
            keys=links,
            show=partial(page, self._store),
            tell=Records(self._store),
            draw=chart_apart,
            now=utc_now,
        )

    def _deliverer(
        self,
        settings: Settings,
        outside: Outside,
        keys: Sequence[bytes],
        address: Address | None,
        before: Parts | None,
        calling: Calling,
    ) -> Deliver:
        """What is known of the trouble with channels stays while nothing changes there."""
        if before and _told_alike(before, settings, outside, keys):
            return before.deliver
        differences = Differences()
        return Deliver(
            self._store,
            outside.messenger,
            Drawing(self._store, differences, keys=keys, address=address),
            differences,
            owner=self._process.owner,
            jitter=random.random,
            lease=3 * self._process.lease,
            address=address,
            calling=calling,
            sre_channel=settings.slack.sre_channel,
        )

    def _announcer(self, settings: Settings, outside: Outside, before: Parts | None) -> Announce:
        """What is known of the trouble with sinks stays while these are the same."""
        if before and _same_sinks(before, settings, outside):
            return before.announce
        return Announce(
            self._store,
            {
                name: Followed(
                    outside.sinks[name],
                    types=frozenset(sink.types),
                    envs=frozenset(sink.envs),
                    from_start=sink.from_start,
                    give_up_after=sink.give_up_after,
                )
                for name, sink in settings.events.items()
            },
            owner=self._process.owner,
            jitter=random.random,
            monotonic=time.monotonic,
            lease=2 * self._process.lease,
        )

    def _teller(self, settings: Settings, outside: Outside, address: Address | None) -> Tell:
        """What tells every Alertmanager of rollbacks, and to be silent."""
        labels, bake = settings.alerts.labels, settings.alerts.bake
        named = settings.alertmanager
        return Tell(
            self._store,
            outside.alertmanagers,
            Standings(app=labels.app, env=labels.env, bake=bake, address=address),
            Manner(named.announce, named.silence, labels, bake),
            owner=self._process.owner,
            nudge=partial(self._nudge, "deliver"),
            jitter=random.random,
            lease=3 * self._process.lease,
        )

    def _homes(
        self, settings: Settings, outside: Outside, recent: RecentDirectory, rules: Rules
    ) -> HomeKeeping:
        """What keeps App Homes: drawn by what Slack said lately, decided by what it says now."""
        named = settings.job_managers
        drawing = HomeDrawing(
            self._store,
            outside.messenger,
            recent,
            Sight(self._store, recent, watched=rules.channels, policy_of=rules.policy),
            policy_of=rules.policy,
            managers=Managers(recent, named),
            calls=settings.slack.calling.on,
        )
        managers = Managers(outside.directory, named)
        return HomeKeeping(
            self._store,
            outside.messenger,
            drawing,
            JobButtons(self._store, outside.directory, managers),
            DirectSwitch(self._store, outside.directory),
            owner=self._process.owner,
            nudge=lambda: self._nudge("jobs"),
            jitter=random.random,
            lease=2 * self._process.lease,
        )

    def _decider(
        self,
        outside: Outside,
        keys: Sequence[bytes],
        acting: tuple[Propose, Closer],
        rules: Rules,
        *,
        managers: tuple[str, ...],
        kinds: Collection[InboxKind],
    ) -> Decide:
        propose, closer = acting
        return Decide(
            self._store,
            outside.directory,
            propose.requested,
            rehearse=propose.rehearsed,
            refresh=closer.read,
            channels=rules.channels,
            policy_of=rules.policy,
            keys=keys,
            depends_on=rules.depends_on,
            practises=rules.practises,
            job_managers=managers,
            silences=bool(outside.alertmanagers),
            owner=self._process.owner,
            nudge=self._nudge,
            jitter=random.random,
            lease=2 * self._process.lease,
            kinds=kinds,
        )

    def _routes(self, settings: Settings, admission: Admission | None) -> Iterable[web.RouteDef]:
        if admission is None:
            return []
        take_in = self._measuring.meter.received(self._intake)
        received = partial(
            alertmanager_routes,
            tokens=[token.get_secret_value() for token in settings.webhook_tokens],
            labels=settings.alerts.labels,
            known=settings.places,
            take_in=take_in,
        )
        return [
            *received(),
            *received(path=grafana.PATH, source=grafana.SOURCE, version=grafana.VERSION),
            *webhook_routes(
                [
                    Sender(one.form, [token.get_secret_value() for token in one.tokens])
                    for one in settings.webhooks.values()
                ],
                labels=settings.alerts.labels,
                known=settings.places,
                take_in=take_in,
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

    def _admitting(
        self, outside: Outside, recent: RecentDirectory, rules: Rules
    ) -> Admission | None:
        """What takes in from Slack, whichever way; a worker takes in nothing."""
        if self._process.role is Role.WORKER:
            return None

        async def put(item: NewInboxItem) -> bool:
            of = spans.inbox(item.digest)
            with spans.span("receive", of=of, first=True, kind=item.kind, action=item.action):
                async with self._store.write() as tx:
                    new = await tx.inbox.put(item)
            self._nudge("decide", "command", "home")
            return new

        sight = Sight(self._store, recent, watched=rules.channels, policy_of=rules.policy)
        apps = Apps(Reception(recent), sight)
        bolt = build_bolt(put=put, forms=outside.messenger, apps=apps)
        return Admission(bolt, team=outside.directory.team)


def _core_of(settings: Settings) -> Mapping[AppEnv, CoreWatched]:
    """The core parameters of every watched app, and who is told of them."""
    usual = AppSettings()
    return {
        where: CoreWatched(settings.apps.get(where.app, usual).core, settings.slack.sre_channel)
        for where in settings.places
    }


def _told_alike(before: Parts, settings: Settings, outside: Outside, keys: Sequence[bytes]) -> bool:
    """Whether messages go out by the same rules, to the same people and with the same buttons."""
    then, now = before.settings.slack, settings.slack
    return (
        before.outside.messenger is outside.messenger
        and before.outside.directory is outside.directory
        and (then.calling, then.sre_channel) == (now.calling, now.sre_channel)
        and before.keys == keys
    )


def _same_sinks(before: Parts, settings: Settings, outside: Outside) -> bool:
    """Whether events go by the same rules to the very same sinks."""
    sinks = before.outside.sinks
    same = before.settings.events == settings.events
    return same and all(sinks[name] is sink for name, sink in outside.sinks.items())


async def retire(old: Parts, new: Parts) -> None:
    """Let what was acknowledged end, and close the connections of targets no longer used."""
    if old.admission is not None:
        await old.admission.finish()
    await old.outside.close(but=new.outside)


def _address(public_url: str, keys: Sequence[bytes]) -> Address | None:
    """What makes the addresses of our pages; None where people cannot reach them."""
    if not public_url or not keys:
        return None
    base = public_url.rstrip("/")

    def address(name: str, until: datetime) -> str:
        signed = link.sign(path_of(name), until=until, keys=keys)
        return f"{base}{signed}"

    return address


def derive(keys: Iterable[SecretStr], purpose: bytes) -> tuple[bytes, ...]:
    """Derive one key per secret for one *purpose*, by HKDF (RFC 5869), in the same order."""
    return tuple(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(
            key.get_secret_value().encode()
        )
        for key in keys
    )
