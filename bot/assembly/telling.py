"""What tells others: people in Slack, sinks of events, Alertmanager, who keeps anchors."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from functools import partial

from bot.assembly.given import Given
from bot.assembly.parts import Parts
from bot.config.settings import AppSettings, Settings
from bot.services.alerting.standing import Standings
from bot.services.alerting.tell import Manner, Tell
from bot.services.anchoring import Anchoring
from bot.services.announce import Announce, Followed
from bot.services.calling import Calling
from bot.services.core import CoreChanges
from bot.services.core import Watched as CoreWatched
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from bot.services.home.drawing import HomeDrawing
from bot.services.home.jobs import JobButtons, Managers
from bot.services.home.keeping import HomeKeeping
from bot.services.home.switching import DirectSwitch
from bot.services.sight import Sight
from store.records import AppEnv


def calling(given: Given) -> Calling:
    """What calls people by direct messages."""
    return Calling(
        given.store,
        given.outside.messenger,
        given.recent,
        given.settings.slack.calling,
        owner=given.process.owner,
        jitter=random.random,
    )


def deliver(given: Given, calls: Calling, before: Parts | None) -> Deliver:
    """What is known of the trouble with channels stays while nothing changes there."""
    if before and _told_alike(before, given):
        return before.deliver
    differences = Differences()
    return Deliver(
        given.store,
        given.outside.messenger,
        Drawing(given.store, differences, keys=given.buttons, address=given.address),
        differences,
        owner=given.process.owner,
        jitter=random.random,
        lease=3 * given.process.lease,
        address=given.address,
        calling=calls,
        sre_channel=given.settings.slack.sre_channel,
    )


def announce(given: Given, before: Parts | None) -> Announce:
    """What is known of the trouble with sinks stays while these are the same."""
    if before and _same_sinks(before, given):
        return before.announce
    return Announce(
        given.store,
        {
            name: Followed(
                given.outside.sinks[name],
                types=frozenset(sink.types),
                envs=frozenset(sink.envs),
                from_start=sink.from_start,
                give_up_after=sink.give_up_after,
            )
            for name, sink in given.settings.events.items()
        },
        owner=given.process.owner,
        jitter=random.random,
        monotonic=time.monotonic,
        lease=2 * given.process.lease,
    )


def anchoring(given: Given) -> Anchoring:
    """What tells anchors of the audit chain."""
    return Anchoring(
        given.store,
        given.outside.anchors,
        owner=given.process.owner,
        jitter=random.random,
        lease=2 * given.process.lease,
    )


def tell(given: Given) -> Tell:
    """What tells every Alertmanager of rollbacks, and to be silent."""
    labels, bake = given.settings.alerts.labels, given.settings.alerts.bake
    named = given.settings.alertmanager
    return Tell(
        given.store,
        given.outside.alertmanagers,
        Standings(app=labels.app, env=labels.env, bake=bake, address=given.address),
        Manner(given.settings.places, named.announce, named.silence, labels, bake),
        owner=given.process.owner,
        nudge=partial(given.nudge, "deliver"),
        jitter=random.random,
        lease=3 * given.process.lease,
    )


def homes(given: Given) -> HomeKeeping:
    """What keeps App Homes: drawn by what Slack said lately, decided by what it says now."""
    store, outside, rules = given.store, given.outside, given.rules
    named = given.settings.job_managers
    drawing = HomeDrawing(
        store,
        outside.messenger,
        given.recent,
        Sight(store, given.recent, watched=rules.channels, policy_of=rules.policy),
        policy_of=rules.policy,
        managers=Managers(given.recent, named),
        calls=given.settings.slack.calling.on,
    )
    return HomeKeeping(
        store,
        outside.messenger,
        drawing,
        JobButtons(store, outside.directory, Managers(outside.directory, named)),
        DirectSwitch(store, outside.directory),
        owner=given.process.owner,
        nudge=partial(given.nudge, "jobs"),
        jitter=random.random,
        lease=2 * given.process.lease,
    )


def core_changes(given: Given) -> CoreChanges:
    """What tells of versions that change a core parameter."""
    return CoreChanges(
        given.store,
        _core_of(given.settings),
        owner=given.process.owner,
        lease=2 * given.process.lease,
        nudge=partial(given.nudge, "deliver"),
    )


def _core_of(settings: Settings) -> Mapping[AppEnv, CoreWatched]:
    """The core parameters of every watched app, and who is told of them."""
    usual = AppSettings()
    return {
        where: CoreWatched(settings.apps.get(where.app, usual).core, settings.slack.sre_channel)
        for where in settings.places
    }


def _told_alike(before: Parts, given: Given) -> bool:
    """Whether messages go out by the same rules, to the same people and with the same buttons."""
    then, now = before.settings.slack, given.settings.slack
    return (
        before.settings.public_url == given.settings.public_url
        and before.outside.messenger is given.outside.messenger
        and before.outside.directory is given.outside.directory
        and (then.calling, then.sre_channel) == (now.calling, now.sre_channel)
        and before.keys == given.buttons
    )


def _same_sinks(before: Parts, given: Given) -> bool:
    """Whether events go by the same rules to the very same sinks."""
    sinks = before.outside.sinks
    same = before.settings.events == given.settings.events
    return same and all(sinks[name] is sink for name, sink in given.outside.sinks.items())
