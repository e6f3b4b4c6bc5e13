"""A Slack that keeps what it was told, and refuses what Slack refuses."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.card import CardView
from bot.domain.chart.view import ChartView
from bot.domain.choices import Choices
from bot.domain.diff.browse import Sheet
from bot.domain.diff.picture import Picture
from bot.domain.home import HomeView
from bot.errors import BotError, UpstreamRefused
from bot.ports.people import Note, Window
from tests.builders import CHANNEL


@dataclass(frozen=True)
class Replied:
    channel: str
    ts: str
    note: Note


@dataclass(frozen=True)
class Attached:
    channel: str
    ts: str
    text: str
    filename: str
    title: str


@dataclass(frozen=True)
class Answered:
    channel: str
    slack_id: str
    ts: str
    response_url: str
    note: Note


class FakeMessenger:
    """Channels that exist, messages that stand in them, and threads under those messages.

    A card can be redrawn only where it stands, and a thread needs its head; `failing` holds
    errors that the next calls raise, first come first served. Nothing is kept of a failed call,
    unless `applies_anyway` says that Slack did it and only the answer was lost.
    """

    def __init__(self) -> None:
        self.channels = {CHANNEL}
        self.cards: dict[tuple[str, str], CardView] = {}
        self.drawn: list[CardView] = []
        self.replies: list[Replied] = []
        self.files: list[Attached] = []
        self.pictures: list[Picture] = []
        self.charts: list[ChartView] = []
        self.answers: list[Answered] = []
        self.windows: dict[str, list[Sheet | Choices | Note]] = {}  # all that open dialogs showed
        self.homes: dict[str, tuple[str, HomeView]] = {}  # by person, with its hash
        self.direct: dict[tuple[str, str], list[Note]] = {}  # all that each message said
        self.published: list[str] = []  # whose home was drawn, in order
        self.failing: list[BotError] = []
        self.applies_anyway = False
        self.used_up: set[str] = set()  # response_urls that Slack takes no more
        self._posted = 0

    def delete(self, channel: str, ts: str) -> None:
        """Somebody deletes a message."""
        del self.cards[channel, ts]

    @property
    def codes(self) -> list[str]:
        """The codes of all thread replies, in order."""
        return [reply.note.code for reply in self.replies]

    async def show(self, card: CardView, *, channel: str, ts: str) -> str:
        lost = self._fault()
        self._in(channel)
        if ts and (channel, ts) not in self.cards:
            raise UpstreamRefused("slack", "no such message", "message_not_found")
        if not ts:
            self._posted += 1
            ts = f"1764000000.{self._posted:06d}"
        self.cards[channel, ts] = card
        self.drawn.append(card)
        if lost is not None:
            raise lost
        return ts

    async def reply(self, note: Note, *, channel: str, ts: str) -> None:
        self._checked(channel, ts)
        self.replies.append(Replied(channel, ts, note))

    async def attach(self, text: str, *, filename: str, title: str, channel: str, ts: str) -> None:
        self._checked(channel, ts)
        self.files.append(Attached(channel, ts, text, filename, title))

    async def draw(
        self, drawn: Picture, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        self._checked(channel, ts)
        self.pictures.append(drawn)

    async def chart(
        self, view: ChartView, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        self._checked(channel, ts)
        self.charts.append(view)

    async def answer(
        self, note: Note, *, channel: str, slack_id: str, ts: str, response_url: str
    ) -> None:
        if response_url in self.used_up:
            raise UpstreamRefused("slack", "used up", "response_url_refused")
        self._checked("" if response_url else channel)
        self.answers.append(Answered(channel, slack_id, ts, response_url, note))

    async def fill(self, window: Window, shown: Sheet | Choices | Note) -> None:
        self._checked("")
        if window.id not in self.windows:
            raise UpstreamRefused("slack", "no such view", "not_found")
        self.windows[window.id].append(shown)

    async def permalink(self, *, channel: str, ts: str) -> str:
        self._checked(channel, ts)
        return f"https://example.slack.com/archives/{channel}/p{ts.replace('.', '')}"

    async def tell(self, note: Note, *, slack_id: str) -> tuple[str, str]:
        lost = self._fault()
        self._posted += 1
        channel, ts = f"D{slack_id[1:]}", f"1764000000.{self._posted:06d}"
        self.direct[channel, ts] = [note]
        if lost is not None:
            raise lost
        return channel, ts

    async def retell(self, note: Note, *, channel: str, ts: str, slack_id: str) -> None:
        self._checked("")
        if (channel, ts) not in self.direct:
            raise UpstreamRefused("slack", "no such message", "message_not_found")
        self.direct[channel, ts].append(note)

    async def publish(self, home: HomeView, *, slack_id: str, stands: str) -> str:
        self._checked("")
        there = self.homes.get(slack_id, ("", None))[0]
        if stands and stands != there:
            raise UpstreamRefused("slack", "moved on", "hash_conflict")
        self.published.append(slack_id)
        self.homes[slack_id] = (f"hash{len(self.published)}", home)
        return self.homes[slack_id][0]

    def _checked(self, channel: str, ts: str = "") -> None:
        if (error := self._fault()) is not None:
            raise error
        if channel:
            self._in(channel)
        if ts and (channel, ts) not in self.cards:
            raise UpstreamRefused("slack", "no such message", "message_not_found")

    def _in(self, channel: str) -> None:
        if channel not in self.channels:
            raise UpstreamRefused("slack", "not there", "channel_not_found")

    def _fault(self) -> BotError | None:
        """The error of this call; one that is raised after the deed is handed back instead."""
        if not self.failing:
            return None
        error = self.failing.pop(0)
        if self.applies_anyway:
            return error
        raise error
