"""Whom Keyturn writes to alone, and their App Home."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Protocol

from store.records import (
    Addressee,
    AuditDraft,
    DirectCall,
    Home,
    Json,
)


class Homes(Protocol):
    """What each person's App Home shows, and which of them are to be drawn."""

    async def opened(self, slack_id: str, team_id: str) -> None:
        """The person looks at it: it is to be drawn, from its first page."""
        ...

    async def change(
        self,
        slack_id: str,
        team_id: str,
        *,
        page: int | None = None,
        said: Mapping[str, Json] | None = None,
    ) -> None:
        """The person did something there: it is to be drawn, on *page* if given, with *said*."""
        ...

    async def redraw(self, slack_id: str) -> None:
        """What the person asked for has come about; nothing, if they have no home."""
        ...

    async def claim(self, owner: str, *, lease: timedelta, seen_within: timedelta) -> Home | None:
        """One that was asked for, or that was seen lately and before something changed."""
        ...

    async def drawn(
        self, home: Home, *, owner: str, stands: str, substance: str, rest: timedelta
    ) -> None:
        """It stands in Slack under the hash *stands*; what changes elsewhere waits for *rest*."""
        ...

    async def rest(self, delay: timedelta) -> None:
        """Draw nothing for *delay*."""
        ...

    async def defer(self, home: Home, *, owner: str, delay: timedelta) -> None:
        """Give it back to be tried again after *delay*."""
        ...


class Direct(Protocol):
    """Who is called by direct messages, to which rollbacks, and what was told of them."""

    async def call(self, slack_ids: Collection[str], rollback_id: int, code: str) -> None:
        """Call these people to a rollback, each once for the same *code*."""
        ...

    async def look_again(self, rollback_id: int) -> None:
        """Something about the rollback has changed: what was told of it may hold no more."""
        ...

    async def claim(self, owner: str, *, lease: timedelta) -> Addressee | None:
        """The person who is due for longest and whom nobody holds."""
        ...

    async def calls(self, slack_id: str) -> list[DirectCall]:
        """The calls of a person that are not over, oldest first."""
        ...

    async def rest(self, delay: timedelta) -> None:
        """Nobody is told anything for *delay*."""
        ...

    async def of_message(self, slack_id: str, channel: str, ts: str) -> list[DirectCall]:
        """The calls that one message tells, oldest first."""
        ...

    async def save(self, calls: Iterable[DirectCall]) -> None:
        """Store what was told of *calls*, and whether they are over."""
        ...

    async def release(
        self, slack_id: str, *, owner: str, due_in: timedelta | None, told: bool = False
    ) -> None:
        """Give a person back, to be looked at again after *due_in*; *told* counts as a message."""
        ...

    async def is_off(self, slack_id: str) -> bool: ...
    async def switch(self, slack_id: str, *, off: bool, entry: AuditDraft) -> bool:
        """Turn a person's messages off or on, with *entry*; False when they are so already."""
        ...
