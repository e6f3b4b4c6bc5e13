"""A database in which nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PauseOrigin(StrEnum):
    """Who paused a database."""

    BACKUP = "backup"
    COPY = "copy"
    RESTORED = "restored"  # a person, after putting a copy in place that carries no mark
    PERSON = "person"

    @property
    def is_copy(self) -> bool:
        """Whether the original may have gone on after this copy was made."""
        return self is not PauseOrigin.PERSON


@dataclass(frozen=True)
class Paused:
    """The mark of a paused database: nothing is executed while it stands.

    `seq` and `head` say where the audit chain ended when it was made. What a copy held then, up
    to the ids `…_until`, may have been done since by the original; 0 where it is no copy.
    """

    origin: PauseOrigin
    reason: str
    since: datetime
    seq: int
    head: str
    case_until: int = 0
    inbox_until: int = 0
    outbox_until: int = 0


@dataclass(frozen=True)
class LeftBehind:
    """How many rows were waiting in a copy and were ended there."""

    inbox: int
    outbox: int
