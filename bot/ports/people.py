"""Who is who, and how people are told: Slack, as far as the use cases know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.card import CardView
from bot.domain.chart.view import ChartView
from bot.domain.choices import Choices
from bot.domain.diff.browse import Sheet
from bot.domain.diff.picture import Picture
from bot.domain.home import HomeView
from store.records import Json

# How the ids of dialogs begin that are filled after they were opened; then DRILL, of a drill.
DIFFERENCE, CHOICE, DRILL = "difference", "choose", "drill"


@dataclass(frozen=True)
class Member:
    """A Slack account as Slack tells it now. `person` is the same for all accounts of a human."""

    slack_id: str
    person: str
    team_id: str
    name: str
    deleted: bool = False
    bot: bool = False
    guest: bool = False
    stranger: bool = False
    tz: str = ""  # as the tz database names it; "" when Slack does not say


class Directory(Protocol):
    """Who is who, asked afresh each time; raises `UpstreamDown` when Slack cannot say."""

    team_id: str

    def person_of(self, slack_id: str) -> str:
        """The person behind an account: the configured alias, else the account itself."""
        ...

    def publisher(self, email: str) -> str:
        """The person whose account in the target has this *email*, as configured; else ""."""
        ...

    def language_of(self, slack_id: str) -> str:
        """In which language a person reads, as far as it is known; never waits."""
        ...

    async def member(self, slack_id: str) -> Member: ...
    async def members_of(self, group_id: str) -> frozenset[str]:
        """Slack ids of a user group."""
        ...

    async def shared_channel(self, channel: str) -> bool:
        """True if people of other organisations can see and click in *channel*."""
        ...


@dataclass(frozen=True)
class Note:
    """A sentence for people: `code` names it in the catalogue, `facts` fill it."""

    code: str
    facts: Mapping[str, Json]


@dataclass(frozen=True)
class Window:
    """A dialog that is open before one person: the id that we gave it, and what opened it.

    `value`, `channel` and `ts` are the button's and its card's; `value` and `ts` are "" where a
    command opened it, of which `response_url` is. `where` is the app whose versions it shows.
    """

    id: str
    value: str
    channel: str
    ts: str
    response_url: str = ""
    where: str = ""
    slack_id: str = ""  # of the person; "" where it is told beside

    @property
    def chooses(self) -> bool:
        """Whether an app and a version are chosen in it; else a difference is read."""
        return self.id.startswith(f"{CHOICE}.")

    @property
    def drill(self) -> bool:
        """Whether it was opened from the card of a drill."""
        return self.id.split(".")[1:2] == [DRILL]


class Messenger(Protocol):
    """Slack, as far as the use cases know it.

    Raises `Throttled`, `UpstreamDown`, `UpstreamRefused`.
    """

    async def show(self, card: CardView, *, channel: str, ts: str) -> str:
        """Post the card (empty *ts*) or redraw it; return its ts."""
        ...

    async def reply(self, note: Note, *, channel: str, ts: str) -> None:
        """Say it in the thread of message *ts*, or by a message of its own without one."""
        ...

    async def attach(
        self, text: str, *, filename: str, title: str, channel: str, ts: str
    ) -> None: ...
    async def draw(
        self, drawn: Picture, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        """Show a picture in the thread of message *ts*; where none can be drawn, show nothing."""
        ...

    async def chart(
        self, view: ChartView, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        """Show a chart in the thread of message *ts*; where it cannot be drawn, show nothing."""
        ...

    async def answer(
        self, note: Note, *, channel: str, slack_id: str, ts: str, response_url: str
    ) -> None:
        """Tell one person only: by *response_url* when there is one, else in the channel."""
        ...

    async def fill(self, window: Window, shown: Sheet | Choices | Note) -> None:
        """Show something in an open dialog, in place of what it shows now.

        Raises:
            UpstreamRefused: Also `not_found`: it was closed, or has not opened yet.
        """
        ...

    async def permalink(self, *, channel: str, ts: str) -> str: ...
    async def tell(self, note: Note, *, slack_id: str) -> tuple[str, str]:
        """Tell one person by a direct message; return its channel and ts."""
        ...

    async def retell(self, note: Note, *, channel: str, ts: str, slack_id: str) -> None:
        """Say something else in the place of a direct message to *slack_id*.

        Raises:
            UpstreamRefused: Also `message_not_found`, when it was deleted.
        """
        ...

    async def publish(self, home: HomeView, *, slack_id: str, stands: str) -> str:
        """Draw a person's App Home in place of what *stands* there ("": whatever); return its hash.

        Raises:
            UpstreamRefused: Also `hash_conflict`: something else stands there by now.
        """
        ...
