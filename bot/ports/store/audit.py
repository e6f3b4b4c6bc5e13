"""The audit chain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from store.records import (
    AppEnv,
    AuditDraft,
    AuditEntry,
)


class Audit(Protocol):
    """The chain of audit entries."""

    async def append(self, entry: AuditDraft) -> None:
        """Append one entry; it is linked to the chain when the transaction commits."""
        ...

    async def append_many(self, entries: Sequence[AuditDraft]) -> None: ...
    async def head(self) -> tuple[int, str]:
        """(seq, hash) of the newest entry; (0, genesis hash) while the chain is empty."""
        ...

    async def find(self, beginning: str) -> int | None:
        """The number of the newest entry whose hash begins so; None when there is none."""
        ...

    async def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]: ...
    async def about(self, where: AppEnv, *, limit: int, skip: int = 0) -> list[AuditEntry]:
        """Entries about rollbacks and cases of *where*, and about itself, newest first."""
        ...

    async def count_about(self, where: AppEnv) -> int:
        """How many entries `about` has."""
        ...

    def flaw(self, entry: AuditEntry) -> str:
        """What is wrong with *entry* by itself, wherever it stands; "" when nothing is."""
        ...

    async def about_any(self, resources: Collection[str], *, since: datetime) -> list[AuditEntry]:
        """The entries about any of *resources*, from about *since* on, oldest first.

        Raises:
            Corrupt: One of them cannot be read.
        """
        ...

    async def flaw_in(self, entries: Sequence[AuditEntry]) -> str:
        """What is wrong with *entries* or where they stand in the chain; "" when nothing is."""
        ...
