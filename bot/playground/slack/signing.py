"""Slack's request signature, version 0, and the same request as Socket Mode carries it.

Rule: docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from bot.playground.slack.things import Json


@dataclass(frozen=True)
class Signed:
    """A request as Slack would send it, byte for byte; sending it twice is a replay."""

    body: bytes
    headers: dict[str, str]


def sign_form(fields: dict[str, str], *, secret: str, at: float) -> Signed:
    """Sign a form body, the shape of clicks, submissions and commands."""
    return sign(
        urlencode(fields).encode(), "application/x-www-form-urlencoded", secret=secret, at=at
    )


def sign(body: bytes, content_type: str, *, secret: str, at: float) -> Signed:
    """Sign *body* with *secret* as of *at* (seconds since the epoch)."""
    timestamp = str(int(at))
    base = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    }
    headers |= {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
    return Signed(body, headers)


def as_envelope(signed: Signed) -> tuple[str, Json]:
    """The type and payload under which Socket Mode carries what *signed* carries over HTTP.

    Rule: docs.slack.dev/apis/events-api/using-socket-mode. There is no signature: whoever holds
    the connection is the app.
    """
    if signed.headers["Content-Type"] == "application/json":
        return "events_api", json.loads(signed.body)
    fields = dict(parse_qsl(signed.body.decode(), keep_blank_values=True))
    if "payload" in fields:
        return "interactive", json.loads(fields["payload"])
    return "slash_commands", fields
