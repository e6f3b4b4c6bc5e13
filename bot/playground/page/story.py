"""What the reader can make happen, and which of the three steps comes next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.playground.dify.state import DifyState
from bot.playground.slack import people
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message

Happening = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Person:
    """Somebody to act as; `note` says what they may do."""

    id: str
    name: str
    note: str


CAST = (
    Person(people.ALICE, "alice", "reviewer"),
    Person(people.BOB, "bob", "reviewer"),
    Person(people.CAROL, "carol", "reviewer"),
    Person(people.DAVE, "dave", "no reviewer"),
    Person(people.MEI, "mei", "no reviewer, reads Chinese"),
)


@dataclass(frozen=True)
class Story:
    """The demo's happenings, given by whoever starts the page.

    `app` is the name of the app in Dify, `channel` where its cards appear. `commands` are
    offered in the composer. `resolve` is left out of the page when it is None.
    """

    publish_bad: Happening
    fire_alert: Happening
    resolve: Happening | None = None
    app: str = "support-triage"
    channel: str = people.INCIDENTS
    people: tuple[Person, ...] = CAST
    commands: tuple[str, ...] = (
        "/rollback",
        "/rollback status",
        "/rollback jobs",
        "/rollback log support-triage@prod",
        "/rollback diff support-triage@prod 6",
        "/rollback who support-triage@prod",
        "/rollback snapshot",
        "/rollback help",
    )


@dataclass
class Progress:
    """How far the reader is: the ids of Dify's live version when they pressed a button."""

    bad: str = ""  # live after the bad publish; "" before it
    fired: bool = False
    messages: int = 0  # that stood in the channel when the alert fired


@dataclass(frozen=True)
class Step:
    """One of the three steps. `state` is done, now or later; `action` names the story's button."""

    title: str
    hint: str
    state: str
    action: str = ""
    label: str = ""


def live_id(dify: DifyState, app_name: str) -> str:
    """The id of the app's live version; "" when nothing is published."""
    app = next((one for one in dify.apps if one.name == app_name), None)
    return app.live_id if app else ""


def steps(progress: Progress, slack: SlackState, dify: DifyState, story: Story) -> list[Step]:
    """Return the three steps as they stand now; exactly one is `now` until all are done."""
    recovered = progress.fired and bool(progress.bad) and live_id(dify, story.app) != progress.bad
    done = 3 if recovered else 2 if progress.fired else 1 if progress.bad else 0
    texts = (
        ("Publish a bad version", "A careless edit goes live in Dify.",
         "publish_bad", "Publish a bad version"),
        ("Fire its alert", "The app's error rate rises; Alertmanager calls Keyturn.",
         "fire_alert", "Fire the alert"),
        ("Approve as two people", _voting_hint(recovered, progress, slack, story), "", ""),
    )  # fmt: skip
    return [
        Step(title, hint, "done" if n < done else "now" if n == done else "later", action, label)
        for n, (title, hint, action, label) in enumerate(texts)
    ]


def _voting_hint(recovered: bool, progress: Progress, slack: SlackState, story: Story) -> str:
    if recovered:
        return "The good version is live again. The thread tells how."
    if any(_votable(message) for message in slack.messages(story.channel)):
        return "Read the card, press Approve, switch person, press it again."
    if progress.fired and len(slack.messages(story.channel)) > progress.messages:
        return "The card tells how it went, and why."
    return "Keyturn's card appears in the channel within a few seconds."


def _votable(message: Message) -> bool:
    """True while the message has a button that it puts first."""
    elements = [e for block in message.blocks for e in block.get("elements", ())]
    return any(e.get("type") == "button" and e.get("style") == "primary" for e in elements)
