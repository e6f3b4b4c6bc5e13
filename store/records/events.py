"""What happened to a rollback, and what other systems are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from store.records.places import AppEnv
from store.records.values import Json


@dataclass(frozen=True)
class Event:
    """One lifecycle event; `sequence` counts within its aggregate from 1."""

    aggregate: str
    aggregate_id: int
    sequence: int
    kind: str
    data: Mapping[str, Json]
    at: datetime


@dataclass(frozen=True)
class Announcement:
    """One event that other systems are told; `sequence` counts within its app@env from 1.

    `id` is its name for ever, however often it is sent. `kind` is its type without the prefix of
    all of ours, `subject` what of the app it is about, such as `rollback/17`. `number` counts all
    that were written here.
    """

    number: int
    where: AppEnv
    sequence: int
    id: str
    kind: str
    subject: str
    data: Mapping[str, Json]
    at: datetime


@dataclass(frozen=True)
class Consignment:
    """What waits of one app@env for a sink: held by one worker, so that its order stays.

    `announcements` are the next ones, oldest first; `through` is where the app stands after them.
    `attempts` counts the failures since the sink took one of them last, `failing_since` is when the
    first of these was; `failures` counts those of the sink in a row.
    """

    sink: str
    where: AppEnv
    announcements: tuple[Announcement, ...]
    through: int
    attempts: int
    failures: int
    failing_since: datetime | None = None


@dataclass(frozen=True)
class SinkState:
    """How a sink stands over all processes; `oldest` is when the first that waits was written."""

    name: str
    sent: int
    failed: int
    given_up: int
    failures: int  # in a row
    last_error: str
    waiting: int
    oldest: datetime | None
