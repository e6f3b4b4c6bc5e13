"""Keys, one for each purpose, from the secrets that the settings name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from bot.adapters.browser.routes import path_of
from bot.domain import link
from bot.services.drawing import Address

BUTTONS: Final = b"keyturn/buttons/v1"
LINKS: Final = b"keyturn/links/v1"
SEALS: Final = b"keyturn/seals/v1"
ANCHORS: Final = b"keyturn/anchors/v1"
TRACES: Final = b"keyturn/traces/v1"


def derive(secrets: Iterable[SecretStr], purpose: bytes) -> tuple[bytes, ...]:
    """Derive one key per secret for one *purpose*, by HKDF (RFC 5869), in the same order."""
    return tuple(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(
            secret.get_secret_value().encode()
        )
        for secret in secrets
    )


def signs(public_url: str, keys: Sequence[bytes]) -> Address | None:
    """What makes the addresses of our pages; None where people cannot reach them."""
    if not public_url or not keys:
        return None
    base = public_url.rstrip("/")

    def address(name: str, until: datetime) -> str:
        signed = link.sign(path_of(name), until=until, keys=keys)
        return f"{base}{signed}"

    return address
