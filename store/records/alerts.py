"""Alerts, as they came in webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from store.records.places import AppEnv


class FiringStatus(StrEnum):
    """Whether an alert still fires."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Firing:
    """One alert from `starts_at` to its end; unique by (source, fingerprint, starts_at).

    `where` is None when the labels name no app that we know; such firings are kept and counted.
    `id` is 0 until it is stored; `case_id` is None until it was taken in.
    """

    source: str
    fingerprint: str
    starts_at: datetime
    status: FiringStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ends_at: datetime | None = None
    where: AppEnv | None = None
    id: int = 0
    case_id: int | None = None

    @property
    def alertname(self) -> str:
        return self.labels.get("alertname", "")


@dataclass(frozen=True)
class Delivery:
    """One webhook body; `digest` is over groupKey and sorted (fingerprint, startsAt, status).

    `unreadable` counts the alerts that are in `body` alone, `truncated` those that were cut off:
    `group_labels` say then which alerts the group is of; None where nobody can be asked for them.
    """

    source: str
    receiver: str
    group_key: str
    digest: str
    truncated: int
    firings: tuple[Firing, ...]
    body: bytes = b""
    unreadable: int = 0
    group_labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Truncated:
    """A group that came cut short, given out to be completed; `asked` is how often it came so."""

    source: str
    group_key: str
    receiver: str
    group_labels: Mapping[str, str]
    asked: int
    attempts: int


@dataclass(frozen=True)
class Unfiled:
    """Deliveries that were acknowledged and are to be filed next, by their `ids`.

    `watched` tells whether any of them means a watched app; `left` is at most how many there are
    in all (by their ids, so perhaps far fewer), and `oldest` and `newest` when the first and the
    last of those arrived, None for none.
    """

    ids: tuple[int, ...]
    watched: bool
    left: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True)
class SetAside:
    """A delivery that was acknowledged and could not be filed; its bytes are kept."""

    id: int
    received_at: datetime
    why: str
    alerts: int
