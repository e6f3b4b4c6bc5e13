"""Alerts, and what people do not want to hear of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from store.records import (
    AppEnv,
    AuditDraft,
    Delivery,
    Firing,
    SetAside,
    Silenced,
    SuggestionsPaused,
    Truncated,
    Unfiled,
)


class Arrivals(Protocol):
    """Deliveries that were acknowledged and are not filed yet (`Store.keep`)."""

    async def waiting(self, *, most: int = 500) -> Unfiled:
        """Which are to be filed next, those of watched apps first; at most *most*."""
        ...

    async def set_aside(self, arrival_id: int, why: str) -> bool:
        """Let it wait no more: it cannot be filed, for the reason *why*; False if it is gone."""
        ...

    async def aside(self, *, limit: int = 100) -> Sequence[SetAside]:
        """Those that could not be filed, oldest first."""
        ...

    async def put_back(self, *, at_most: int = 100) -> int:
        """Let the first *at_most* of those wait again; how many did."""
        ...


class Alerts(Protocol):
    """Deliveries and firings as Alertmanager sent them."""

    async def take(self, delivery: Delivery) -> tuple[Firing, ...]:
        """Store a delivery and its firings; a repeat only touches `last_seen` and the count.

        Returns the firings that are new or whose status changed, as stored. A resolved firing
        never becomes firing again for the same `starts_at`.
        """
        ...

    async def take_all(self, deliveries: Collection[Delivery]) -> None:
        """Store several deliveries and their firings, as `take` would one after the other."""
        ...

    async def unassigned(self, apps: Collection[AppEnv], *, limit: int = 200) -> list[Firing]:
        """Alerts of *apps* that fire and that no case has taken in yet, oldest first."""
        ...

    async def free(self, firing_ids: Collection[int]) -> set[int]:
        """Those of *firing_ids* that no case has."""
        ...

    async def unnamed(
        self, *, after: int = 0, limit: int = 500
    ) -> list[tuple[int, Mapping[str, str]]]:
        """Ids and labels of firing alerts without a known app, by id, above id *after*."""
        ...

    async def name(self, firing_ids: Sequence[int], where: AppEnv) -> None:
        """Say which app these firings are about, unless a case has them."""
        ...

    async def assign(self, firing_ids: Sequence[int], case_id: int) -> None: ...
    async def of_case(self, case_id: int) -> list[Firing]:
        """The case's firings by `starts_at`; of a storm those that fire first, and some others."""
        ...

    async def around(
        self, env: str, *, since: datetime, until: datetime, limit: int = 500
    ) -> list[Firing]:
        """Alerts of known apps of *env* that began from *since* to *until*, the newest *limit*."""
        ...

    async def unknown_apps(self) -> list[tuple[str, str, int]]:
        """(app label, env label, firings) of alerts that no configured app answers to."""
        ...

    async def arrived(self, firing_ids: Sequence[int]) -> tuple[datetime, str]:
        """When the first of these firings came, and the digest of the delivery that brought it.

        The digest is "" where it is not among the newest deliveries any more.
        """
        ...

    async def changed(self, *, limit: int = 200) -> list[Firing]:
        """Assigned firings whose status changed since `seen` was called on them."""
        ...

    async def seen(self, firing_ids: Sequence[int]) -> None: ...

    async def outlived(self, *, after: int = 0) -> tuple[dict[int, datetime], int]:
        """Firings whose alert has begun again since, and when; and up to which id none is missed.

        What came at or before id *after* was compared before.
        """
        ...

    async def end(self, ended_at: Mapping[int, datetime]) -> None:
        """End the firings of these ids, unless they have ended."""
        ...


class TruncatedGroups(Protocol):
    """Groups that came cut short, from when they are filed until the rest of each was fetched."""

    async def claim(self, *, lease: timedelta) -> Truncated | None:
        """The group that is due for longest; nobody else gets it before *lease* is over."""
        ...

    async def completed(self, group: Truncated) -> None:
        """The rest of *group* is stored; what came cut short meanwhile is due again at once."""
        ...

    async def later(self, group: Truncated, delay: timedelta, error: str) -> None:
        """Give *group* back, to be tried again after *delay*."""
        ...

    async def waiting(self) -> int:
        """How many groups there are of which the rest was not fetched yet."""
        ...


class Suggestions(Protocol):
    """Where Keyturn suggests nothing for a while, because people said so."""

    async def paused(self, where: AppEnv) -> SuggestionsPaused | None:
        """The pause of *where* that is not over by database time; None for none."""
        ...

    async def pause(
        self, where: AppEnv, until: datetime, *, slack_id: str, reason: str, entry: AuditDraft
    ) -> None:
        """Pause until *until*, in place of any pause before, with *entry*. Raises `Stale`."""
        ...

    async def resume(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the pause of *where*, with *entry*. Raises `Stale`."""
        ...


class Silences(Protocol):
    """Where alerts are silenced in Alertmanager: what is to be so, whatever it holds by now."""

    async def of(self, where: AppEnv) -> Silenced | None:
        """The silence of *where* that is not over by database time; None for none."""
        ...

    async def lately(self, apps: Collection[AppEnv], within: timedelta) -> list[Silenced]:
        """The newest silence of each of *apps*; none that ended longer than *within* ago."""
        ...

    async def begin(
        self,
        where: AppEnv,
        until: datetime,
        *,
        alerts: Sequence[str],
        slack_id: str = "",
        rollback_id: int = 0,
        entry: AuditDraft,
    ) -> Silenced:
        """Silence until *until*, in place of any silence before, with *entry*. Raises `Stale`."""
        ...

    async def end(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the silence of *where*, with *entry*. Raises `Stale`."""
        ...
