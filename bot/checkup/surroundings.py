"""What is around us: the door, Alertmanager, Prometheus, and where anchors are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp

from bot.adapters.alertmanager import inspection as alertmanager
from bot.adapters.anchors import inspection as anchors
from bot.adapters.webhooks.routes import path_of
from bot.checkup import measurements
from bot.checkup.answering import answering
from bot.checkup.finding import Finding, failed, ok
from bot.config.settings import Settings
from bot.errors import UpstreamDown


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at what alerts come from and what tells of recovery."""
    if settings.webhook_tokens:
        yield ok("KEYTURN_WEBHOOK_TOKEN", "Alertmanager's bearer token is set")
    elif settings.places:
        said = "is not set, so every alert is answered 401"
        mend = "make a long random token; give it to Keyturn and to Alertmanager's webhook"
        yield failed("KEYTURN_WEBHOOK_TOKEN", said, mend)
    async for finding in _alerting(settings, http):
        yield finding
    if settings.anchor_url:
        yield await _keeps_anchors(settings.anchor_url, http)
    async for finding in measurements.findings(settings, http):
        yield finding


async def _alerting(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    for name in settings.webhooks:
        yield ok(f"webhook.{name}", f"its mapping can be read; it posts to {path_of(name)}")
    token = settings.alertmanager.token
    asked = partial(alertmanager.version, token=token.get_secret_value() if token else "")
    for url in settings.alertmanager.urls:
        yield await answering("alertmanager", url, asked, http)
    if settings.places and not settings.alertmanager.urls:
        said = (
            "[alertmanager] url is not set: of groups that come cut short the rest is not fetched"
        )
        yield ok("alertmanager", f"{said}; leave max_alerts at 0")


async def _keeps_anchors(url: str, http: aiohttp.ClientSession) -> Finding:
    try:
        await anchors.answers(url, http)
    except UpstreamDown as error:
        mend = "check [audit] anchor_url, the network, and that it runs; anchors wait for it"
        return failed("audit", f"anchor_url does not answer ({error})", mend)
    return ok("audit", "something answers at anchor_url; `keyturn audit key` is for it")
