"""Slack's request signature, version 0.

Rule: docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlencode


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
