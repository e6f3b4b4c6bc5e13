"""What the store has to say when it cannot do what was asked."""

from __future__ import annotations


class StoreError(Exception):
    """Root of what the store raises; `str()` is for operators."""


class Stale(StoreError):
    """The thing moved on since it was read: look again and decide again."""


class Missing(StoreError):
    """There is no such thing."""


class NotEmpty(StoreError):
    """A database that was to be filled holds something already."""


class StillUsed(StoreError):
    """A database that was to be left seems to be worked with."""


class Unavailable(StoreError):
    """The database is lost, locked or full; nothing was written; the same call may work later."""


class NotMigrated(StoreError):
    """The database schema is not the one this program was built for: run `keyturn migrate`."""


class OpenRollbackExists(StoreError):
    """This app@env has an open rollback already; `rollback_id` names it."""

    def __init__(self, rollback_id: int) -> None:
        super().__init__(f"rollback {rollback_id} is open")
        self.rollback_id = rollback_id


class IllegalMove(StoreError):
    """The table of legal moves has no such step."""


class Corrupt(StoreError):
    """Stored bytes do not match the hash they are kept under."""


class Unreadable(StoreError):
    """A row of ours that this program cannot make sense of."""


class Unstorable(StoreError, ValueError):
    """A value that no database keeps: NUL or half a character in text, or no JSON."""


class NaiveTime(StoreError, ValueError):
    """A time without a zone was given; every time in Keyturn is aware."""
