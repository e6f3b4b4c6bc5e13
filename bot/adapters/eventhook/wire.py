"""A signed webhook in the manner of Standard Webhooks, and what its answer means. Pure.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from bot.domain.cloudevent import CONTENT_TYPE
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from store.records import Json

_PREFIX = "whsec_"  # before a secret that is bytes in base64
_PASSING = frozenset({408, 425, 429})
LONGEST_WAIT_S = 6 * 3600.0


def key_of(secret: str) -> bytes:
    """The key that *secret* stands for: the bytes behind `whsec_`, or else its characters.

    Raises:
        ValueError: What follows `whsec_` is not base64.
    """
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("what follows whsec_ is not base64") from error


def body_of(event: Mapping[str, Json]) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def headers(body: bytes, *, event_id: str, key: bytes, at: datetime) -> dict[str, str]:
    """The headers of a request with *body*; without a *key* it is not signed."""
    timestamp = str(int(at.timestamp()))
    told = {
        "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
    }
    if key:
        told["webhook-signature"] = signature(body, event_id=event_id, key=key, stamp=timestamp)
    return told


def signature(body: bytes, *, event_id: str, key: bytes, stamp: str) -> str:
    """`v1,` and the HMAC-SHA256 over id, timestamp and body, in base64."""
    signed = b".".join((event_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def judge(system: str, status: int, retry_after: str, *, now: datetime) -> None:
    """Return when *status* says that the event was taken.

    Raises:
        Throttled: It is to be sent later, and when is said.
        UpstreamDown: It is to be sent later.
        UpstreamRefused: It is not taken; also when it should go elsewhere: nobody signed for that.
    """
    if 200 <= status < 300:
        return
    if status in _PASSING or status >= 500:
        wait_s = _seconds(retry_after, now)
        if wait_s is not None:
            raise Throttled(system, min(max(wait_s, 1.0), LONGEST_WAIT_S))
        raise UpstreamDown(system, f"HTTP {status}")
    if 300 <= status < 400:
        raise UpstreamRefused(system, f"HTTP {status}: redirects are not followed")
    raise UpstreamRefused(system, f"HTTP {status}")


def _seconds(retry_after: str, now: datetime) -> float | None:
    """Of `Retry-After`, a number of seconds or a date (RFC 9110, 10.2.3); None without sense."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):
        return None
