"""Whether a request carries one of the tokens that open a door."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


class Bearers:
    """Tokens that open a door: several while one is being replaced, none for one that is shut."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens)

    def open(self, authorization: str) -> bool:
        """True if the header is `Bearer TOKEN` with one of them; takes the same time for all.

        https://www.rfc-editor.org/rfc/rfc6750#section-2.1
        """
        scheme, _, token = authorization.partition(" ")
        given = _digest(token.strip().encode("utf-8", "surrogateescape"))
        found = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == "bearer" and any(found)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
