"""How an anchor is posted: one JSON object, signed as Standard Webhooks asks for. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

from store.records import AuditAnchor


def body(anchor: AuditAnchor) -> bytes:
    """What is posted: the same line that the log has, `{"sequence", "hash", "at"}`."""
    return json.dumps(asdict(anchor), separators=(",", ":")).encode()


def headers(
    anchor: AuditAnchor, content: bytes, *, at: datetime, keys: Iterable[bytes]
) -> Mapping[str, str]:
    """The headers of *content*, posted *at*; signed with each of *keys*, so that they rotate.

    The id is the same however often the anchor is posted.
    """
    name, moment = f"anchor_{anchor.sequence}", str(int(at.timestamp()))
    signed = f"{name}.{moment}.".encode() + content
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{_mac(key, signed)}" for key in keys),
    }


def secret(key: bytes) -> str:
    """*key* in the form that receivers are told it."""
    return f"whsec_{base64.b64encode(key).decode()}"


def _mac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
