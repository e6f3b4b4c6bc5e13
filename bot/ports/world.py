"""What else the world gives: the time, and a place for heads that is not the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]


class Anchor(Protocol):
    """Where chain heads are published outside the database."""

    async def publish(self, seq: int, head: str) -> None: ...
