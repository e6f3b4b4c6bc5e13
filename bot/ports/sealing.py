"""How secret values are kept over a crash: sealed with a key that is in no database."""

from __future__ import annotations

from typing import Protocol

from bot.ports.target import SecretValues


class Sealing(Protocol):
    """Seals and opens; a seal opens for the rollback that it was made for, and for no other."""

    def seal(self, values: SecretValues, *, rollback_id: int) -> bytes:
        """Return *values* as bytes that say nothing without the key but how long they are."""
        ...

    def open(self, sealed: bytes, *, rollback_id: int) -> SecretValues:
        """Return the values in *sealed*.

        Raises:
            SealBroken: None of our keys made it, or it was made for something else.
        """
        ...
