"""A sign of life from inside a long step of a worker.

A step may wait for an outside system many times, each time for a bounded while: it is slow, not
stuck. Every call that comes back, well or not, says so here; only a step that says nothing for
longer than any call may take counts as dead.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Pulse:
    """When a step last gave a sign of life, in seconds of the monotonic clock."""

    at: float = field(default_factory=time.monotonic)


_pulse: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


@contextmanager
def felt(pulse: Pulse) -> Iterator[None]:
    """Let `alive` inside the block, and in the tasks started there, be felt by *pulse*."""
    token = _pulse.set(pulse)
    try:
        yield
    finally:
        _pulse.reset(token)


def alive() -> None:
    """Say that the step at hand goes on; outside a step this does nothing."""
    pulse = _pulse.get()
    if pulse is not None:
        pulse.at = time.monotonic()
