"""Where events are sent, as the use case that sends them needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from store.records import Announcement


class Sink(Protocol):
    """Takes events of one app@env at a time, in their order; the same one twice does no harm."""

    @property
    def at_once(self) -> int:
        """How many one call takes at most."""
        ...

    async def send(self, events: Sequence[Announcement]) -> None:
        """Return once all of *events* are kept there.

        Raises:
            Throttled: It asks to wait; `retry_after_s` says how long.
            UpstreamDown: It takes nothing now, or gave no answer; some may be there already.
            UpstreamRefused: It does not take the first of them, whatever it takes else.
        """
        ...

    async def greet(self) -> None:
        """Return when it is there, without sending an event; else raise as `send` does."""
        ...

    async def close(self) -> None:
        """Give back what was opened."""
        ...
