"""Faults that a test or a reader of the demo can order, and Slack's own rate limits."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can go wrong with a call."""

    THROTTLE = "throttle"  # 429 with Retry-After
    ERROR = "error"  # 500
    HANG = "hang"  # no answer until `release()`
    DROP = "drop"  # the connection is cut
    REFUSE = "refuse"  # 200 with {"ok": false, "error": code}


@dataclass
class Fault:
    """What goes wrong with the next *times* calls (None: all) of *method* ("*": any).

    With *after* the call takes effect first, so that its caller cannot know.
    """

    kind: Kind
    method: str = "*"
    times: int | None = 1
    retry_after_s: int = 1
    code: str = "fatal_error"
    after: bool = False


class Faults:
    """The faults in force, oldest first; `down` cuts every connection."""

    def __init__(self) -> None:
        self.down = False
        self.hanging = 0  # calls that hang now
        self._ordered: list[Fault] = []
        self._released = asyncio.Event()

    def order(
        self,
        kind: Kind | str,
        method: str = "*",
        *,
        times: int | None = 1,
        retry_after_s: int = 1,
        code: str = "fatal_error",
        after: bool = False,
    ) -> Fault:
        """Put a fault in force, behind those that are; the arguments are the fields of `Fault`."""
        fault = Fault(Kind(kind), method, times, retry_after_s, code, after)
        self._ordered.append(fault)
        return fault

    def clear(self) -> None:
        """Lift every fault and let hanging calls go."""
        self._ordered.clear()
        self.down = False
        self.release()

    def release(self) -> None:
        """Let the calls that hang now go on; later ones hang again."""
        self._released.set()
        self._released = asyncio.Event()

    def take(self, method: str) -> Fault | None:
        """Return the fault that befalls this call of *method*, counting it."""
        if self.down:
            return Fault(Kind.DROP)
        for fault in self._ordered:
            if fault.method in {"*", method}:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._ordered.remove(fault)
                return fault
        return None

    async def hang(self) -> None:
        await self._released.wait()


# Calls per minute and method, from java-slack-sdk's rate_limit_tiers.json; posting is 1/s/channel.
TIERS = {"1": 1, "2": 20, "3": 50, "4": 100, "post": 60}
TIER_OF = {
    "chat.postMessage": "post",
    "chat.update": "3",
    "chat.delete": "3",
    "chat.postEphemeral": "4",
    "users.info": "4",
    "usergroups.users.list": "2",
    "usergroups.list": "2",
    "conversations.info": "3",
    "conversations.members": "4",
    "conversations.history": "3",
    "conversations.replies": "3",
    "views.open": "4",
    "views.update": "4",
    "views.push": "4",
    "views.publish": "4",
    "files.getUploadURLExternal": "4",
    "files.completeUploadExternal": "4",
    "files.info": "4",
    "apps.connections.open": "1",
}


class RateLimits:
    """Slack's tiers as a sliding minute; off until `on` is set, so that tests run at speed."""

    def __init__(self) -> None:
        self.on = False
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def wait_s(self, method: str, channel: str, *, now: float) -> int:
        """Return how long to wait before this call is allowed, in seconds; 0 when it is.

        An allowed call is counted. Posts are counted per channel, all else per method.
        """
        tier = TIER_OF.get(method)
        if not self.on or tier is None:
            return 0
        seen = self._seen[f"{method} {channel if tier == 'post' else ''}"]
        while seen and seen[0] <= now - 60:
            seen.popleft()
        if len(seen) >= TIERS[tier]:
            return max(1, round(seen[0] + 60 - now))
        seen.append(now)
        return 0
