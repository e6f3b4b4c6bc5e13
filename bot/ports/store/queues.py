"""What came from Slack and what is to be told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from store.records import (
    AuditAnchor,
    InboxItem,
    InboxKind,
    NewInboxItem,
    NewOutgoing,
    OutboxKind,
    Outgoing,
)


class Inbox(Protocol):
    """What came from Slack, as committed rows that workers claim."""

    async def put(self, item: NewInboxItem) -> bool:
        """Commit *item*; False when the same bytes came before (nothing is stored twice)."""
        ...

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[InboxKind] = tuple(InboxKind)
    ) -> InboxItem | None:
        """The oldest item of these *kinds* that is not done and that nobody holds."""
        ...

    async def finish(self, item_id: int, *, owner: str, outcome: str) -> None:
        """Mark it done in the transaction of its effect. Raises `Stale` when taken over."""
        ...

    async def defer(self, item_id: int, *, owner: str, delay: timedelta, error: str) -> None:
        """Give it back to be tried again after *delay*."""
        ...


class Outbox(Protocol):
    """What is to be sent, in the transaction of the fact that it tells."""

    async def put(self, row: NewOutgoing) -> bool:
        """Queue *row*. False when its dedupe id was put before."""
        ...

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[OutboxKind] = tuple(OutboxKind)
    ) -> Outgoing | None:
        """The oldest sendable row of *kinds*: head of its `order_key`, due, held by nobody.

        Nothing is given out that goes where somebody was asked to wait: see `throttled`.
        Older unsent rows with the same `coalesce_key` are marked superseded by it.
        """
        ...

    async def sent(self, row_id: int, *, owner: str, reference: str = "") -> None: ...
    async def defer(self, row_id: int, *, owner: str, delay: timedelta, error: str) -> None: ...
    async def throttled(self, row_id: int, *, owner: str, delay: timedelta) -> None:
        """Give it back, and keep all that goes to its destination in the same way for *delay*.

        That holds for every process. What goes to one person goes another way there.
        """
        ...

    async def drop(self, row_id: int, *, owner: str, error: str) -> None:
        """Give up on a row that will never be taken; its order goes on without it."""
        ...

    async def waiting(self) -> int:
        """How many rows are not sent yet."""
        ...

    async def queued(self, order_key: str, kinds: Collection[OutboxKind]) -> list[Outgoing]:
        """Every row of *order_key* and of these *kinds* that is kept, sent or not, oldest first."""
        ...

    async def published(self) -> list[AuditAnchor]:
        """The anchors that were published and are kept, oldest first."""
        ...
