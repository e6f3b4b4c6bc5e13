"""What else the world gives: the time, and a place for heads that is not the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from store.records import AuditAnchor

Clock = Callable[[], datetime]


class AnchorKeeper(Protocol):
    """Where chain heads are kept outside the database."""

    async def publish(self, anchor: AuditAnchor) -> None:
        """Have *anchor* kept. Raises `UpstreamDown` when it is not known to be."""
        ...
