"""Socket Mode's messages, read and written: text in, values out, or a named refusal. No I/O.

Shapes: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.slack import wire
from bot.adapters.slack.admission import Answer, digest_of
from bot.adapters.slack.reading import load, shallow
from bot.errors import BadInput

_MAX_ID = 200


@dataclass(frozen=True)
class Hello:
    """The connection is ready for envelopes."""


@dataclass(frozen=True)
class Farewell:
    """Slack will close the connection.

    `reason` is `warning` or `refresh_requested` (soon), `link_disabled` (Socket Mode was turned
    off) or `too_many_websockets`.
    """

    reason: str


@dataclass(frozen=True)
class Enveloped:
    """Something that wants to be acknowledged by its id; `payload` has not been looked at."""

    id: str
    type: str
    payload: object
    accepts_answer: bool
    size: int


@dataclass(frozen=True)
class Unknown:
    """A message of a type that Slack may add some day; nothing is answered."""


Frame = Hello | Farewell | Enveloped | Unknown

_READERS: Mapping[str, Callable[[Mapping[str, Any]], wire.Received]] = {
    "interactive": wire.interaction,
    "slash_commands": wire.typed,
    "events_api": wire.event,
}


def parse(text: str) -> Frame:
    """Read one message. Raises `BadInput` when it is none of Slack's."""
    found = load(text)
    if not isinstance(found, dict):
        raise BadInput("not a JSON object")
    kind, envelope_id = found.get("type"), found.get("envelope_id")
    if not isinstance(kind, str):
        raise BadInput("type is missing or not text")
    if kind == "hello":
        return Hello()
    if kind == "disconnect":
        return Farewell(str(found.get("reason") or "unsaid")[:_MAX_ID])
    if not isinstance(envelope_id, str) or not 0 < len(envelope_id) <= _MAX_ID:
        return Unknown()
    accepts = found.get("accepts_response_payload") is True
    return Enveloped(envelope_id, kind, found.get("payload"), accepts, len(text.encode()))


def read(envelope: Enveloped) -> wire.Received:
    """What *envelope* holds. Raises `BadInput` for a broken one, or a type that is not taken."""
    reader = _READERS.get(envelope.type)
    if reader is None:
        raise BadInput("an envelope of a type that is not taken")
    return reader(shallow(envelope.payload))


def digest(envelope: Enveloped) -> str:
    """What the inbox knows *envelope* by: its payload in one form, whatever carried it.

    Slack sends an envelope that was not acknowledged again, on any connection, and an event under
    a new envelope id; the payload stays the same. Two presses of one button differ by their
    `trigger_id` and `action_ts`.
    """
    payload = json.dumps(envelope.payload, sort_keys=True, separators=(",", ":"))
    return digest_of(b"socket", envelope.type.encode("utf-8", "replace"), payload.encode())


def acknowledgement(envelope: Enveloped, answer: Answer) -> str:
    """The message that tells Slack that *envelope* is kept, with *answer* where one is taken."""
    said: dict[str, Any] = {"envelope_id": envelope.id}
    if envelope.accepts_answer and answer.text:
        is_json = answer.content_type == "application/json"
        said["payload"] = json.loads(answer.text) if is_json else {"text": answer.text}
    return json.dumps(said)
