"""What is around us: the door, Alertmanager, Prometheus, and where anchors and traces go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp

from bot.adapters.alertmanager import inspection as alertmanager
from bot.adapters.webhooks.routes import path_of
from bot.checkup import measurements
from bot.checkup.answering import answering, silence
from bot.checkup.finding import Finding, failed, note, ok
from bot.config.settings import Settings

_TOKEN = "KEYTURN_WEBHOOK_TOKEN"  # noqa: S105  # the name of the variable
_NOBODY_ELSE = "is not set, so alerts of Alertmanager and Grafana are answered 401"


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at what alerts come from and what tells of recovery."""
    if settings.webhook_tokens:
        yield ok(_TOKEN, "the bearer token of Alertmanager and Grafana is set")
    elif settings.webhooks:
        yield note(_TOKEN, f"{_NOBODY_ELSE}; the senders of [webhook.NAME] have their own")
    elif settings.places:
        mend = "make a long random token; give it to Keyturn and to Alertmanager's webhook"
        yield failed(_TOKEN, _NOBODY_ELSE, mend)
    async for finding in _alerting(settings, http):
        yield finding
    if settings.anchor_url:
        yield await _keeps_anchors(settings.anchor_url, http)
    async for finding in measurements.findings(settings, http):
        yield finding
    if settings.traces:
        yield await _takes_traces(settings.traces, http)


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
    if why := await silence(url, http):
        mend = "check [audit] anchor_url, the network, and that it runs; anchors wait for it"
        return failed("audit", f"anchor_url does not answer ({why})", mend)
    return ok("audit", "something answers at anchor_url; `keyturn audit key` is for it")


async def _takes_traces(url: str, http: aiohttp.ClientSession) -> Finding:
    scheme, _, rest = url.partition("://")
    there = f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"  # who logs in is left out
    if why := await silence(url, http):
        mend = "check OTEL_EXPORTER_OTLP_ENDPOINT, the network, and that it runs; traces are lost"
        return failed("traces", f"{there} does not answer ({why})", mend)
    return ok("traces", f"something answers at {there}")
