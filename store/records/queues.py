"""What came from Slack and what is to be told: rows that one worker at a time holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from store.records.values import Json


class InboxKind(StrEnum):
    """What came from Slack."""

    CLICK = "click"
    SUBMISSION = "submission"
    COMMAND = "command"
    HOME = "home"  # App Home was opened, or a button of it pressed


@dataclass(frozen=True)
class NewInboxItem:
    """What came from Slack, verified; `digest` is over the signed bytes."""

    digest: str
    kind: InboxKind
    action: str
    slack_id: str
    team_id: str
    payload: Mapping[str, Json]


@dataclass(frozen=True)
class InboxItem:
    """A stored inbox row that a worker holds."""

    id: int
    kind: InboxKind
    action: str
    slack_id: str
    team_id: str
    payload: Mapping[str, Json]
    received_at: datetime
    attempts: int
    digest: str = ""


class OutboxKind(StrEnum):
    """What is to be told, and how."""

    CARD = "card"  # draw the case's card as the store has it now
    NOTE = "note"  # a reply in the case's thread
    SNIPPET = "snippet"  # a text file in the case's thread
    PICTURE = "picture"  # a drawing of a difference in the case's thread
    CHART = "chart"  # what was measured, drawn in the case's thread
    NOTICE = "notice"  # a message of its own, of no case
    ANSWER = "answer"  # to one person only
    CALL = "call"  # direct messages to those who may vote
    ANCHOR = "anchor"  # a head of the audit chain, to where the database's owner cannot reach
    PUBLISHED = "published"  # to be looked at: does it change what matters most?
    ALERT = "alert"  # to Alertmanager: what is live was rolled back
    SILENCE = "silence"  # to Alertmanager: whether alerts of an app are silenced now


TO_ALERTMANAGER: Final = (OutboxKind.ALERT, OutboxKind.SILENCE)

TO_PEOPLE: Final = tuple(
    kind
    for kind in OutboxKind
    if kind not in {*TO_ALERTMANAGER, OutboxKind.PUBLISHED, OutboxKind.ANCHOR}
)

# Where rows go, for those who watch the service: what is down there is another system each.
GOES_TO: Final[Mapping[OutboxKind, str]] = {
    **dict.fromkeys(TO_PEOPLE, "people"),
    **dict.fromkeys(TO_ALERTMANAGER, "alertmanager"),
    OutboxKind.ANCHOR: "anchors",
    OutboxKind.PUBLISHED: "core",
}


@dataclass(frozen=True)
class NewOutgoing:
    """Something to tell; committed with the fact that it tells.

    Rows of one `order_key` leave in order. Of unsent rows with the same `coalesce_key` only the
    newest is sent. A second row with the same `dedupe_id` is not stored.
    """

    kind: OutboxKind
    destination: str
    order_key: str
    dedupe_id: str
    body: Mapping[str, Json]
    coalesce_key: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class Outgoing:
    """A stored outbox row that a worker holds."""

    id: int
    kind: OutboxKind
    destination: str
    order_key: str
    dedupe_id: str
    body: Mapping[str, Json]
    coalesce_key: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Backlog:
    """How much waits in a queue, and since when the oldest does; None when nothing waits.

    What is to be told later waits from then on.
    """

    queue: str
    waiting: int
    oldest: datetime | None
