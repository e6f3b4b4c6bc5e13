"""What people do not want to hear of for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.records.places import AppEnv


@dataclass(frozen=True)
class SuggestionsPaused:
    """Until when Keyturn suggests nothing for *where*, who said so, and why ("" for no reason)."""

    where: AppEnv
    until: datetime
    slack_id: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class Silenced:
    """Until when alerts of *where* are silenced in Alertmanager, and who said so.

    `number` tells the silences of one app apart. `alerts` are the names that are silenced, all
    without one. `slack_id` is "" where Keyturn did it itself, after the rollback `rollback_id`.
    One that somebody ended was until that moment.
    """

    where: AppEnv
    number: int
    until: datetime
    since: datetime
    alerts: tuple[str, ...] = ()
    slack_id: str = ""
    rollback_id: int = 0
