"""What everything that is made of one set of settings stands on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.assembly.keys import BUTTONS, LINKS, derive, signs
from bot.assembly.outside import Outside
from bot.assembly.process import Process
from bot.config.settings import Settings
from bot.opening import rules_of
from bot.services.drawing import Address
from bot.services.home.recent import RecentDirectory
from bot.services.opening.rules import Rules
from store.session import SqlStore


def utc_now() -> datetime:
    """The one clock of this process; what replicas must agree on comes from the database."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Given:
    """One process, its database, and one set of settings with the outside systems it names.

    `buttons` and `links` are keys, the newest first; `address` makes addresses of pages, None
    where people cannot reach them; `recent` answers by what Slack said lately.
    """

    process: Process
    store: SqlStore
    nudge: Callable[..., None]  # wakes workers by name, all without one
    settings: Settings
    outside: Outside
    rules: Rules
    buttons: tuple[bytes, ...]
    links: tuple[bytes, ...]
    address: Address | None
    recent: RecentDirectory

    @classmethod
    def of(
        cls,
        process: Process,
        store: SqlStore,
        nudge: Callable[..., None],
        settings: Settings,
        outside: Outside,
    ) -> Given:
        """Derive the rest from *settings* and *outside*."""
        links = derive(settings.secret_keys, LINKS)
        return cls(
            process,
            store,
            nudge,
            settings,
            outside,
            rules_of(settings),
            derive(settings.secret_keys, BUTTONS),
            links,
            signs(settings.public_url, links),
            RecentDirectory(outside.directory, clock=time.monotonic),
        )
