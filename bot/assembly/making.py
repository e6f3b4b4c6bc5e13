"""Everything that is made of settings, plugged together anew whenever they change."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from aiohttp import ClientSession

from bot.assembly import doors, telling
from bot.assembly.given import Given, utc_now
from bot.assembly.keys import ANCHORS, SEALS, derive
from bot.assembly.measuring import Measuring
from bot.assembly.outside import Outside
from bot.assembly.parts import Parts
from bot.assembly.process import Process
from bot.renewal.watched import Watched
from bot.sealing import KeyedSealing
from bot.services.alerting.listen import Listen
from bot.services.closer import Closer
from bot.services.complete import Complete
from bot.services.decide import Decide
from bot.services.execute import Execute
from bot.services.filing import Filing
from bot.services.follow_up import FollowUp
from bot.services.grouped import Grouped
from bot.services.include import Inclusion
from bot.services.include import Rules as IncludeRules
from bot.services.intake import Intake
from bot.services.probe import Probe
from bot.services.propose import Propose
from bot.services.recover import Recover
from bot.services.snapshot import Snapshot
from bot.services.subside import Subside
from bot.services.take_in import TakeIn
from store.records import InboxKind
from store.session import SqlStore

PRESSED = (InboxKind.CLICK, InboxKind.SUBMISSION)
TYPED = (InboxKind.COMMAND,)


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
        self._take_in = measuring.meter.received(
            Grouped(Intake(store, nudge=partial(nudge, "file")))
        )

    def __call__(self, watched: Watched, before: Parts | None) -> Parts:
        """Make the parts for *watched*; what has not changed since *before* goes on."""
        settings = watched.settings
        given = Given.of(
            self._process, self._store, self._nudge, settings, self._outside(watched, before)
        )
        outside, rules = given.outside, given.rules
        inclusion = _inclusion(given, watched)
        snapshot = Snapshot(
            given.store,
            outside.places,
            nudge=given.nudge,
            channels=rules.channels,
            inclusion=inclusion,
            included=self._look_at_included,
        )
        closer = Closer(
            given.store,
            outside.places,
            snapshot.refresh,
            channels=rules.channels,
            nudge=given.nudge,
        )
        propose = Propose(
            given.store,
            outside.places,
            outside.directory,
            snapshot,
            rules,
            nonce=lambda: secrets.token_hex(16),
            look_back=outside.look_back,
        )
        calls = telling.calling(given)
        deliver = telling.deliver(given, calls, before)
        announce, anchoring = telling.announce(given, before), telling.anchoring(given)
        tell, admission = telling.tell(given), doors.admission(given)
        decider = partial(_decide, given, propose, closer)
        return Parts(
            settings=settings,
            outside=outside,
            keys=given.buttons,
            steps={
                "file": _filing(given).step,
                "take_in": _taking_in(given).step,
                "complete": Complete(
                    given.store, tuple(outside.alertmanagers.values()), jitter=random.random
                ).step,
                "propose": propose.step,
                "decide": decider(kinds=PRESSED).step,
                "command": decider(kinds=TYPED).step,
                "execute": _execute(given).step,
                "deliver": deliver.step,
                "import": snapshot.backfill,
                "home": telling.homes(given).step,
                "direct": calls.step,
                "announce": announce.step,
                "anchor": anchoring.step,
                "alertmanager": tell.step,
                "core": telling.core_changes(given).step,
            },
            routes=(
                *doors.routes(given, admission, self._take_in),
                *self._measuring.public(settings),
            ),
            sweep=snapshot.sweep,
            look_closer=closer.sweep,
            follow_up=FollowUp(given.store, quiet=rules.quiet, voters=rules.voters),
            recover=_recover(given),
            subside=_subside(given),
            tell=tell,
            listen=_listen(given),
            probe=_probe(given, before),
            deliver=deliver,
            announce=announce,
            anchoring=anchoring,
            inclusion=inclusion,
            admission=admission,
        )

    def _outside(self, watched: Watched, before: Parts | None) -> Outside:
        return Outside.of(
            watched,
            self._http,
            self._process.patience.call,
            before,
            traces=self._measuring.traces,
            clock=utc_now,
            anchor_keys=derive(watched.settings.secret_keys, ANCHORS),
        )


def _inclusion(given: Given, watched: Watched) -> Inclusion:
    includes = {f"dify.{name}": d.include for name, d in given.settings.dify.items()}
    wanted = {name: include for name, include in includes.items() if include is not None}
    return Inclusion(
        given.store,
        IncludeRules(
            targets={name: given.outside.targets[name] for name in wanted},
            includes=wanted,
            tables={(place.target, place.id) for place in watched.own.values()},
            names=frozenset(watched.own),
        ),
    )


# -- from an alert to a card ------------------------------------------------------------------


def _filing(given: Given) -> Filing:
    nudge = partial(given.nudge, "take_in")
    return Filing(given.store, nudge=nudge, rest=asyncio.sleep, monotonic=time.monotonic)


def _taking_in(given: Given) -> TakeIn:
    channels = given.rules.channels
    return TakeIn(
        given.store,
        channels,
        meaning=partial(given.settings.alerts.labels.where, known=channels),
        nudge=partial(given.nudge, "propose", "deliver"),
        monotonic=time.monotonic,
        rest=asyncio.sleep,
    )


def _listen(given: Given) -> Listen:
    return Listen(
        given.store,
        given.outside.alertmanagers,
        frozenset(given.settings.places),
        given.settings.alerts.labels,
        nudge=partial(given.nudge, "take_in"),
        quiet=given.settings.alerts.quiet,
    )


def _subside(given: Given) -> Subside:
    rules = given.rules
    return Subside(
        given.store,
        given.outside.look_back,
        withdraws=lambda where: rules.policy(where).withdraw_recovered,
        waited=rules.waited,
    )


# -- from a click to what became of it --------------------------------------------------------


def _decide(
    given: Given, propose: Propose, closer: Closer, *, kinds: Collection[InboxKind]
) -> Decide:
    outside, rules = given.outside, given.rules
    return Decide(
        given.store,
        outside.directory,
        propose.requested,
        rehearse=propose.rehearsed,
        refresh=closer.read,
        channels=rules.channels,
        policy_of=rules.policy,
        keys=given.buttons,
        depends_on=rules.depends_on,
        practises=rules.practises,
        job_managers=given.settings.job_managers,
        silences=bool(outside.alertmanagers),
        owner=given.process.owner,
        nudge=given.nudge,
        jitter=random.random,
        lease=2 * given.process.lease,
        kinds=kinds,
    )


def _execute(given: Given) -> Execute:
    return Execute(
        given.store,
        given.outside.reach,
        given.outside.directory,
        owner=given.process.owner,
        sealing=KeyedSealing(derive(given.settings.secret_keys, SEALS)),
        pause=given.process.patience.pause,
        lease=given.process.lease,
        frozen=given.rules.frozen,
        practises=given.rules.practises,
    )


def _recover(given: Given) -> Recover:
    alerts = given.settings.alerts
    return Recover(
        given.store,
        given.outside.look_back,
        waited=given.rules.waited,
        bake=alerts.bake,
        quiet=alerts.quiet,
    )


def _probe(given: Given, before: Parts | None) -> Probe:
    greets = {name: target.greet for name, target in given.outside.targets.items()}
    return Probe(
        {"slack": given.outside.directory.greet, **greets},
        trouble=before.probe.trouble if before else {},
    )
