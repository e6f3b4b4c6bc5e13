"""The settings that proposing and opening go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.policy import Policy
from bot.domain.verdict.belief import THRESHOLDS, Thresholds
from store.records import AppEnv


@dataclass(frozen=True)
class Rules:
    """The settings that proposing needs, as plain values."""

    policies: Mapping[str, Policy]  # by environment
    channels: Mapping[AppEnv, str]
    criticality: Mapping[str, str]  # by app; "medium" for others
    waited: timedelta  # the alert rules' usual `for`
    lookback: timedelta
    depends_on: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by app
    thresholds: Thresholds = THRESHOLDS
    drills: frozenset[str] = frozenset()  # apps that serve nobody

    def practises(self, where: AppEnv) -> bool:
        """Whether drills may be held in *where*."""
        return where.app in self.drills

    def policy(self, where: AppEnv) -> Policy:
        """The environment's policy; without one two votes are needed and nobody is eligible."""
        criticality = self.criticality.get(where.app, "medium")
        return self.policies.get(where.env, Policy()).of(criticality)

    def quiet(self, where: AppEnv, at: datetime) -> bool:
        """Whether *at* is a time in which nobody is reminded about *where*."""
        return self.policy(where).quiet.until(at) is not None

    def voters(self, where: AppEnv) -> tuple[str, ...]:
        """Who may vote in *where* as of now, people and groups."""
        return self.policy(where).snapshot().voters

    def frozen(self, where: AppEnv, at: datetime) -> datetime | None:
        """Until when nothing of *where* is rolled back, if that holds at *at*."""
        return self.policy(where).freeze.until(at)
