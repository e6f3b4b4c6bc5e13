"""On whose word a rollback runs, asked afresh: its voters, who broke the glass, or who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain import quorum
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services.eligibility import Eligibility
from store.records import AppEnv, Json, Rollback

Frozen = Callable[[AppEnv, datetime], datetime | None]  # until when nothing is rolled back


def never(_where: AppEnv, _at: datetime) -> None:
    """No policy names a time in which nothing is rolled back."""


@dataclass(frozen=True)
class Standing:
    """Who of those whose word it runs on may no longer, as of now; as it is, everybody may."""

    not_eligible: Mapping[str, str] = field(default_factory=dict)  # person → code of why
    barred_breaker: str | None = None  # why who broke the glass may not
    barred_asker: str | None = None  # why who asked may not, where their word alone is enough

    def carries(self, rollback: Rollback) -> bool:
        """Whether *rollback* may run on what is left of its votes, or without any."""
        if self.barred_breaker is not None or self.barred_asker is not None:
            return False
        counting = [v for v in quorum.approvals(rollback) if v.person not in self.not_eligible]
        return rollback.broken_by is not None or quorum.reached(rollback, counting)

    @property
    def why(self) -> dict[str, Json]:
        """What to say of those who may not."""
        return {
            **({"requester": self.barred_asker} if self.barred_asker is not None else {}),
            **({"break_glass": self.barred_breaker} if self.barred_breaker is not None else {}),
            "not_eligible": dict(self.not_eligible),
        }


class Mandate:
    """Asks the directory outside any transaction; nothing is remembered between two calls."""

    def __init__(self, store: Store, directory: Directory, *, frozen: Frozen = never) -> None:
        self._store = store
        self._eligibility = Eligibility(directory)
        self._frozen = frozen

    async def of(self, rollback: Rollback) -> Standing:
        """Return who may no longer.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say; then nothing may run.
        """
        async with self._store.read() as tx:
            channel = (await tx.cases.get(rollback.case_id)).channel
        not_eligible, barred_breaker, barred_asker = await asyncio.gather(
            self._voters(rollback, channel),
            self._eligibility.of_breaker(rollback, channel=channel),
            self._asker(rollback),
        )
        return Standing(not_eligible, barred_breaker, barred_asker)

    def frozen_until(self, rollback: Rollback, now: datetime) -> datetime | None:
        """Until when one of its apps is not to be changed, if that holds at *now*."""
        ends = [self._frozen(leg.where, now) for leg in rollback.legs]
        return max((until for until in ends if until is not None), default=None)

    def held(self, rollback: Rollback, now: datetime) -> bool:
        """Whether a freeze holds it; not what runs by break-glass."""
        return self.frozen_until(rollback, now) is not None and rollback.broken_by is None

    async def _voters(self, rollback: Rollback, channel: str) -> Mapping[str, str]:
        """Whose vote is void; votes do not carry what runs by break-glass."""
        if rollback.broken_by is not None:
            return {}
        return await self._eligibility.of_voters(rollback, channel=channel)

    async def _asker(self, rollback: Rollback) -> str | None:
        alone = quorum.reached(rollback, ()) and rollback.broken_by is None
        return await self._eligibility.of_asker(rollback) if alone else None
