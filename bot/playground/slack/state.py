"""All that the local workspace holds; tests read it, and wait on it, directly."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from bot.blockkit import Problem
from bot.playground.slack import people
from bot.playground.slack.faults import Faults, RateLimits
from bot.playground.slack.people import Channel, User, UserGroup
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.things import (
    Call,
    Complaint,
    File,
    Message,
    SlackError,
    Trouble,
    View,
)

T = TypeVar("T")
PATIENCE_S = 45.0  # others may use the machine

SCOPES = frozenset(
    {"chat:write", "commands", "users:read", "usergroups:read", "files:write", "files:read"}
    | {"channels:read", "groups:read", "channels:history"}
)


@dataclass
class Trigger:
    """A trigger_id: the right to show *user* one modal, for three seconds."""

    user: str
    at: float
    used: bool = False


@dataclass
class Hook:
    """A response_url: five posts within thirty minutes."""

    channel: str
    user: str
    message_ts: str  # "" for a command's
    thread_ts: str
    at: float
    posts: int = 0


class SlackState:
    """One workspace with one installed app.

    Everything is plain data that a test may change (`state.users[BOB].deleted = True`); call
    `touch()` after a change that somebody may wait for. `now` is the workspace's clock.
    """

    team, app, bot, bot_user = people.TEAM, people.APP, people.BOT, people.BOT_USER
    domain = "keyturn-playground"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.url = ""  # where the local server listens, with a slash at the end
        self.users: dict[str, User] = people.some_users()
        self.groups: dict[str, UserGroup] = people.some_groups()
        self.channels: dict[str, Channel] = people.some_channels()
        self.scopes = set(SCOPES)
        self.messages_tab = True  # `features.app_home.messages_tab_enabled` of the manifest
        self.files: dict[str, File] = {}
        self.uploads: dict[str, str] = {}  # upload token -> file id
        self.views: dict[str, View] = {}  # open modals by id
        self.homes: dict[str, View] = {}  # App Home by user
        self.triggers: dict[str, Trigger] = {}
        self.hooks: dict[str, Hook] = {}
        self.problems: list[Complaint] = []
        self.troubles: list[Trouble] = []
        self.calls: list[Call] = []
        self.faults = Faults()
        self.rates = RateLimits()
        self.sockets = Sockets(now, self.touch)
        self.share_delay_s = 0.01  # files appear in their channel a moment after the answer
        self.revision = 0
        self._messages: list[Message] = []
        self._last_ts = 0
        self._last_id = 0
        self._changed = asyncio.Event()

    # -- reading ------------------------------------------------------------------------------

    def messages(self, channel: str) -> list[Message]:
        """The top-level messages of *channel* that everybody sees, oldest first."""
        return [m for m in self._messages if m.channel == channel and not (m.only_for or _reply(m))]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The replies below message *ts*, oldest first, without those for one person alone."""
        return [
            m for m in self._messages if m.channel == channel and _reply(m) == ts and not m.only_for
        ]

    def ephemerals_to(self, user: str) -> list[Message]:
        """What *user* alone was shown, oldest first, by the app or by Slack itself."""
        return [m for m in self._messages if m.only_for == user]

    def message(self, channel: str, ts: str) -> Message | None:
        """The message *ts* of *channel*: top-level, reply or ephemeral."""
        found = (m for m in self._messages if (m.channel, m.ts) == (channel, ts) and not m.deleted)
        return next(found, None)

    def everything(self) -> list[Message]:
        """Every message of every kind, oldest first."""
        return list(self._messages)

    def views_of(self, user: str) -> list[View]:
        """The modals that *user* has open, the topmost last."""
        return [view for view in self.views.values() if view.user == user]

    def count(self, method: str) -> int:
        """How many calls of *method* came in, whatever came of them."""
        return self.counters()[method]

    def counters(self) -> Counter[str]:
        return Counter(call.method for call in self.calls)

    def permalink(self, message: Message) -> str:
        """The address under which Slack shows *message*."""
        archive = f"https://{self.domain}.slack.com/archives/{message.channel}"
        link = f"{archive}/p{message.ts.replace('.', '')}"
        if _reply(message):
            link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
        return link

    # -- finding what the app names, or Slack's refusal ---------------------------------------

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def channel(self, channel_id: str) -> Channel:
        """The channel, or the direct messages with a user when *channel_id* is a user's."""
        if channel_id in self.users and channel_id != self.bot_user:
            members = [channel_id, self.bot_user]
            return self.channels.setdefault(
                f"D{channel_id[1:]}", Channel(f"D{channel_id[1:]}", "", members, is_im=True)
            )
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def own_channel(self, channel_id: str) -> Channel:
        """The channel, if the app may write there."""
        channel = self.channel(channel_id)
        if channel.is_archived:
            raise SlackError("is_archived")
        if channel.is_im and not self.messages_tab:
            raise SlackError("messages_tab_disabled")
        if self.bot_user not in channel.members:
            raise SlackError("channel_not_found" if channel.is_private else "not_in_channel")
        return channel

    # -- changing -----------------------------------------------------------------------------

    def add(self, message: Message) -> Message:
        self._messages.append(message)
        self.touch()
        return message

    def remove(self, message: Message) -> None:
        self._messages.remove(message)
        self.touch()

    def complain(self, method: str, found: Iterable[Problem]) -> None:
        """Remember broken rules, so that a test or the page can show them."""
        self.problems += [Complaint(method, problem) for problem in found]
        self.touch()

    def trouble(self, user: str, text: str) -> None:
        """Show *user* what Slack shows when the app did not answer well."""
        self.troubles.append(Trouble(user, text, self.now()))
        self.touch()

    def new_ts(self) -> str:
        """A message id: the time, unique and growing within the workspace."""
        micros = max(int(self.now() * 1_000_000), self._last_ts + 1)
        self._last_ts = micros
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        self._last_id += 1
        return f"{prefix}{self._last_id:010d}"

    def new_trigger(self, user: str) -> str:
        trigger = f"{self.new_id('')}.{self.team}.trigger"
        self.triggers[trigger] = Trigger(user, self.now())
        return trigger

    def new_hook(self, channel: str, user: str, message_ts: str = "", thread_ts: str = "") -> str:
        """A response_url for one click or command."""
        token = self.new_id("hook")
        self.hooks[token] = Hook(channel, user, message_ts, thread_ts, self.now())
        return f"{self.url}actions/{self.team}/{token}"

    # -- waiting ------------------------------------------------------------------------------

    def touch(self) -> None:
        """Wake everybody who waits for a change."""
        self.revision += 1
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def until(self, condition: Callable[[SlackState], T], *, within: float = PATIENCE_S) -> T:
        """Return the first truthy answer of *condition*, asked now and after every change.

        Raises:
            TimeoutError: It stayed false for *within* seconds; the text says what stands here.
        """
        try:
            async with asyncio.timeout(within):
                while not (found := condition(self)):
                    await self.change()
                return found
        except TimeoutError:
            raise TimeoutError(f"not within {within:g} s; {self.summary()}") from None

    def summary(self) -> str:
        """What is here, in a few words, for a test's failure text."""
        kinds = Counter(f"{call.method} {call.outcome}" for call in self.calls)
        texts = [f"{m.ts} {m.text[:60]!r}" for m in self._messages[-5:]]
        problems = [str(complaint.problem) for complaint in self.problems[-3:]]
        return f"calls {dict(kinds)}, newest messages {texts}, problems {problems}"


def _reply(message: Message) -> str:
    """The parent's ts of a reply; "" for the parent itself and for lone messages."""
    return message.thread_ts if message.thread_ts != message.ts else ""
