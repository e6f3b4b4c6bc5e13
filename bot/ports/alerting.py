"""The Alertmanager as the use cases need it: what tells others, and hushes them for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.announced import Announced
from bot.domain.matchers import Matcher
from bot.domain.silencing import Held
from store.records import Delivery, Firing, Truncated


class Alerting(Protocol):
    """One Alertmanager.

    Every call raises `UpstreamDown` when it does not answer now, and `UpstreamRefused` when it
    will never take it.
    """

    async def announce(self, alert: Announced) -> None:
        """Tell it of *alert*: one that it has already is as told now."""
        ...

    async def silences(self) -> list[Held]:
        """Our silences that are in force there."""
        ...

    async def silence(
        self, matchers: Sequence[Matcher], *, since: datetime, until: datetime, comment: str
    ) -> str:
        """Silence what all *matchers* fit, until then; return its id."""
        ...

    async def unsilence(self, silence_id: str) -> None:
        """End a silence; nothing, if it is over or unknown there."""
        ...

    async def firing(self, matchers: Sequence[Matcher]) -> list[Firing]:
        """What fires there of what *matchers* fit, silenced or not."""
        ...

    async def up_since(self) -> datetime:
        """When it was started: it may not have heard of every alert again by then."""
        ...


class WholeGroups(Protocol):
    """Whom to ask for the alerts that a webhook did not carry."""

    async def whole(self, group: Truncated) -> Delivery:
        """All alerts of *group* that fire now, as a webhook would have told them.

        Raises:
            UpstreamDown: No answer, or one that it cannot answer now.
            UpstreamRefused: It does not take the question, or its answer cannot be read.
        """
        ...
