"""Who is who, as Slack said within the last minute: good enough to show, never to decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeVar, cast

from bot.errors import UpstreamRefused
from bot.ports.people import Directory, Member

KEPT_S: Final = 60.0
MOST: Final = 5_000  # answers at once
T = TypeVar("T")


class RecentDirectory:
    """A directory in front of another one, so that a hundred homes are not a hundred look-ups.

    What Slack refuses is remembered too: a mistyped group would be asked for each time. That it
    cannot be reached is not.
    """

    def __init__(self, directory: Directory, *, clock: Callable[[], float]) -> None:
        """Take who is asked, and a *clock* in seconds that only goes forward."""
        self._directory = directory
        self._clock = clock
        self._known: dict[Hashable, tuple[float, object]] = {}

    @property
    def team_id(self) -> str:
        return self._directory.team_id

    @team_id.setter
    def team_id(self, team_id: str) -> None:
        self._directory.team_id = team_id

    def person_of(self, slack_id: str) -> str:
        return self._directory.person_of(slack_id)

    def publisher(self, email: str) -> str:
        return self._directory.publisher(email)

    def language_of(self, slack_id: str) -> str:
        return self._directory.language_of(slack_id)

    async def member(self, slack_id: str) -> Member:
        return await self._asked(("member", slack_id), lambda: self._directory.member(slack_id))

    async def members_of(self, group_id: str) -> frozenset[str]:
        return await self._asked(("group", group_id), lambda: self._directory.members_of(group_id))

    async def shared_channel(self, channel: str) -> bool:
        key = ("channel", channel)
        return await self._asked(key, lambda: self._directory.shared_channel(channel))

    async def _asked(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        now = self._clock()
        at, found = self._known.get(key, (now - KEPT_S, None))
        if now - at >= KEPT_S:
            found = await _answer(ask)
            self._forget(now)
            self._known[key] = (now, found)
        if isinstance(found, UpstreamRefused):
            raise found
        return cast("T", found)

    def _forget(self, now: float) -> None:
        if len(self._known) >= MOST:
            fresh = {key: kept for key, kept in self._known.items() if now - kept[0] < KEPT_S}
            self._known = fresh if len(fresh) < MOST else {}


async def _answer(ask: Callable[[], Awaitable[T]]) -> T | UpstreamRefused:
    try:
        return await ask()
    except UpstreamRefused as error:
        return error
