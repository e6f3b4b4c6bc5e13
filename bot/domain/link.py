"""Links into our pages: each opens one page, for a day, and only we can make one. Pure.

`?until=UNIX&key=MAC`, an HMAC-SHA256 (RFC 2104) over the path and the end. Whoever has the link
sees the page; so it is given only to people who may see what is on it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.errors import LinkExpired, LinkInvalid

LASTS = timedelta(hours=24)
_DOMAIN = b"keyturn/link/v1"
_UNTIL = re.compile(r"[0-9]{1,12}")
_KEY = re.compile(r"[0-9a-f]{64}")


def sign(path: str, *, until: datetime, keys: Sequence[bytes]) -> str:
    """Return *path* with the query that opens it *until* then, made with the first of *keys*.

    Raises:
        ValueError: There is no key.
    """
    if not keys:
        raise ValueError("a link cannot be signed without a key")
    end = str(int(until.timestamp()))
    return f"{path}?until={end}&key={_mac(keys[0], path, end)}"


def verify(path: str, until: str, key: str, *, now: datetime, keys: Sequence[bytes]) -> None:
    """Return if one of *keys* made this link, and it is not over.

    Raises:
        LinkInvalid: We did not make it.
        LinkExpired: We did, and it was over before *now*.
    """
    if not _UNTIL.fullmatch(until) or not _KEY.fullmatch(key):
        raise LinkInvalid("the link is not of our form")
    genuine = False
    for ours in keys:  # all of them, so that the time taken tells nothing of which key it was
        genuine |= hmac.compare_digest(_mac(ours, path, until), key)
    if not genuine:
        raise LinkInvalid("the link does not verify")
    if datetime.fromtimestamp(int(until), UTC) <= now:
        raise LinkExpired(f"the link was over at {until}")


def _mac(key: bytes, path: str, until: str) -> str:
    said = b"\0".join((_DOMAIN, path.encode(), until.encode()))
    return hmac.new(key, said, hashlib.sha256).hexdigest()
