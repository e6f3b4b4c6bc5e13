"""Alertmanager and Prometheus: the door for alerts, and their addresses where they are named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from bot.adapters.alertmanager import inspection as alertmanager
from bot.adapters.prometheus import inspection as prometheus
from bot.checkup.finding import Finding, failed, ok
from bot.config.settings import Settings
from bot.errors import AnswerUnreadable, UpstreamDown

Version = Callable[[str, aiohttp.ClientSession], Awaitable[str]]


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at what alerts come from and what tells of recovery."""
    if settings.webhook_tokens:
        yield ok("KEYTURN_WEBHOOK_TOKEN", "Alertmanager's bearer token is set")
    elif settings.places:
        said = "is not set, so every alert is answered 401"
        mend = "make a long random token; give it to Keyturn and to Alertmanager's webhook"
        yield failed("KEYTURN_WEBHOOK_TOKEN", said, mend)
    if settings.alertmanager_url:
        yield await _at("alertmanager", settings.alertmanager_url, alertmanager.version, http)
    if settings.prometheus_url:
        yield await _at("prometheus", settings.prometheus_url, prometheus.version, http)


async def _at(what: str, url: str, version: Version, http: aiohttp.ClientSession) -> Finding:
    try:
        return ok(what, f"{await version(url, http) or 'some version'} at {url}")
    except AnswerUnreadable as error:
        return failed(what, f"something else answers ({error})", f"correct [{what}] url")
    except UpstreamDown as error:
        mend = f"check [{what}] url, the network, and that it runs"
        return failed(what, f"{url} does not answer ({error})", mend)
