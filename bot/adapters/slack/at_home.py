"""What Slack sends of App Home, read: somebody looks at it, or presses a button there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from bot.adapters.slack.reading import an_id, part, text_of
from bot.adapters.slack.wire import sender_of
from store.records import InboxKind, NewInboxItem

_EVENT_ID = re.compile(r"[A-Za-z0-9]{1,64}")


def opened(body: Mapping[str, Any]) -> NewInboxItem:
    """Return the inbox row of a person who looks at App Home.

    Slack sends an event again when it heard no answer, each time signed anew: it is known by its
    `event_id` (https://docs.slack.dev/apis/events-api).
    """
    team, event_id = an_id(body, "team_id"), an_id(body, "event_id", _EVENT_ID)
    return NewInboxItem(
        digest=hashlib.sha256(f"event\n{team}\n{event_id}".encode()).hexdigest(),
        kind=InboxKind.HOME,
        action="opened",
        slack_id=an_id(part(body, "event"), "user"),
        team_id=team,
        payload={},
    )


def pressed(payload: Mapping[str, Any], action: Mapping[str, Any], digest: str) -> NewInboxItem:
    """Return the inbox row of a button of App Home; what follows the first dot is its name."""
    sender = sender_of(payload)
    return NewInboxItem(
        digest=digest,
        kind=InboxKind.HOME,
        action=text_of(action, "action_id").partition(".")[2],
        slack_id=sender.slack_id,
        team_id=sender.user_team_id,
        payload={"value": text_of(action, "value", default="")},
    )
