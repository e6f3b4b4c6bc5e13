"""Seal secret values, and open them again: Fernet under keys derived for nothing else.

The format is Fernet's (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec). Fernet has
no associated data, so what a seal is for stands inside, in front of the values: a row's seal that
was put into another row does not open there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import SealBroken
from bot.ports.target import SecretValues

_FOR = "keyturn/seal/v1/rollback/{}\n"


class KeyedSealing:
    """Implements `bot.ports.sealing.Sealing`: the first key seals, each of them opens.

    *keys* have 32 bytes each. Without a key nothing can be sealed, and nothing opens.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        made = [Fernet(base64.urlsafe_b64encode(key)) for key in keys]
        self._fernet = MultiFernet(made) if made else None

    def seal(self, values: SecretValues, *, rollback_id: int) -> bytes:
        """Return *values* sealed for this rollback.

        Raises:
            ValueError: There is no key.
        """
        if self._fernet is None:
            raise ValueError("values cannot be sealed without a key")
        purpose = _FOR.format(rollback_id).encode()
        return self._fernet.encrypt(purpose + json.dumps(dict(values.by_id)).encode())

    def open(self, sealed: bytes, *, rollback_id: int) -> SecretValues:
        """Return the values in *sealed*.

        Raises:
            SealBroken: None of our keys made it, or it was made for another rollback.
        """
        purpose = _FOR.format(rollback_id).encode()
        try:
            plain = self._fernet.decrypt(sealed) if self._fernet else b""
        except InvalidToken:
            plain = b""
        if not plain.startswith(purpose):
            raise SealBroken(f"what was sealed for rollback {rollback_id} does not open")
        return SecretValues(json.loads(plain.removeprefix(purpose)))
