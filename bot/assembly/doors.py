"""What takes in: webhooks, Slack, and the pages for browsers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from aiohttp import web

from bot import spans
from bot.adapters.alertmanager import grafana
from bot.adapters.alertmanager.routes import TakeIn
from bot.adapters.alertmanager.routes import routes as alertmanager_routes
from bot.adapters.browser.routes import routes as page_routes
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.door import routes as slack_routes
from bot.adapters.slack.listeners import build_app as build_bolt
from bot.adapters.webhooks.routes import Sender
from bot.adapters.webhooks.routes import routes as webhook_routes
from bot.assembly.given import Given, utc_now
from bot.assembly.process import Role
from bot.charting.apart import chart_apart
from bot.services.asker import Reception
from bot.services.choices import Apps
from bot.services.page import page
from bot.services.record import Records
from bot.services.sight import Sight
from store.records import NewInboxItem


def routes(given: Given, admission: Admission | None, take_in: TakeIn) -> Iterator[web.RouteDef]:
    """Every door of a process that has one; *take_in* stores what webhooks bring."""
    if admission is None:
        return
    yield from _webhooks(given, take_in)
    if given.settings.slack.mode != "socket":
        yield from _slack(given, admission)
    yield from page_routes(  # without a key nothing opens
        keys=given.links,
        show=partial(page, given.store),
        tell=Records(given.store),
        draw=chart_apart,
        now=utc_now,
    )


def admission(given: Given) -> Admission | None:
    """What takes in from Slack, whichever way; a worker takes in nothing."""
    if given.process.role is Role.WORKER:
        return None
    outside, rules = given.outside, given.rules

    async def put(item: NewInboxItem) -> bool:
        of = spans.inbox(item.digest)
        with spans.span("receive", of=of, first=True, kind=item.kind, action=item.action):
            async with given.store.write() as tx:
                new = await tx.inbox.put(item)
        given.nudge("decide", "command", "home")
        return new

    sight = Sight(given.store, given.recent, watched=rules.channels, policy_of=rules.policy)
    apps = Apps(Reception(given.recent), sight)
    bolt = build_bolt(put=put, forms=outside.messenger, apps=apps)
    return Admission(bolt, team=outside.directory.team)


def _webhooks(given: Given, take_in: TakeIn) -> Iterator[web.RouteDef]:
    settings = given.settings
    labels, known = settings.alerts.labels, settings.places
    received = partial(
        alertmanager_routes,
        tokens=[token.get_secret_value() for token in settings.webhook_tokens],
        labels=labels,
        known=known,
        take_in=take_in,
    )
    senders = [
        Sender(one.form, [token.get_secret_value() for token in one.tokens])
        for one in settings.webhooks.values()
    ]
    yield from received()
    yield from received(path=grafana.PATH, source=grafana.SOURCE, version=grafana.VERSION)
    yield from webhook_routes(senders, labels=labels, known=known, take_in=take_in)


def _slack(given: Given, admit: Admission) -> list[web.RouteDef]:
    signing = given.settings.slack.signing_secrets
    return slack_routes(
        admit,
        signing_secrets=[secret.get_secret_value().encode() for secret in signing],
        clock=utc_now,
    )
