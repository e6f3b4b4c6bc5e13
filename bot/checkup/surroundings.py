"""What alerts come from and what was measured: the door, Alertmanager and Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp

from bot.adapters.alertmanager import inspection as alertmanager
from bot.adapters.webhooks.routes import path_of
from bot.checkup import measurements
from bot.checkup.answering import answering
from bot.checkup.finding import Finding, failed, ok
from bot.config.settings import Settings


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at what alerts come from and what tells of recovery."""
    if settings.webhook_tokens:
        yield ok("KEYTURN_WEBHOOK_TOKEN", "Alertmanager's bearer token is set")
    elif settings.places:
        said = "is not set, so every alert is answered 401"
        mend = "make a long random token; give it to Keyturn and to Alertmanager's webhook"
        yield failed("KEYTURN_WEBHOOK_TOKEN", said, mend)
    for name in settings.webhooks:
        yield ok(f"webhook.{name}", f"its mapping can be read; it posts to {path_of(name)}")
    token = settings.alertmanager.token
    asked = partial(alertmanager.version, token=token.get_secret_value() if token else "")
    for url in settings.alertmanager.urls:
        yield await answering("alertmanager", url, asked, http)
    async for finding in measurements.findings(settings, http):
        yield finding
