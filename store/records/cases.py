"""What happens to one app from the first alert or request to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from store.records.places import AppEnv
from store.records.values import Json


class CaseState(StrEnum):
    """Whether a case can still change."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Finding:
    """What looking for a candidate brought: a suggestion, or only the facts.

    `code` names the sentence in the catalogue, `facts` fills it; both survive a restart, so
    the card can be drawn again from the store alone. `newest_firing_id` is the newest alert that
    it takes into account; 0 before the versions were looked at.
    """

    code: str
    facts: Mapping[str, Json]
    onset_from: datetime | None = None
    onset_to: datetime | None = None
    suspect_id: int | None = None
    candidate_id: int | None = None
    newest_firing_id: int = 0


@dataclass(frozen=True)
class Case:
    """What happens to one app@env from the first firing or request to its end; owns one card.

    `assess_at` is when the candidate is to be looked for (again); None when nothing is due.
    `card_ts` is empty until the card stands in Slack.
    """

    id: int
    where: AppEnv
    state: CaseState
    revision: int
    opened_at: datetime
    channel: str
    card_ts: str = ""
    closed_at: datetime | None = None
    assess_at: datetime | None = None
    finding: Finding | None = None
    rollback_id: int | None = None
