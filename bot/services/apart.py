"""Pieces of work that stand side by side: one that goes wrong does not hold up the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import BotError
from store.records import Unavailable


class Apart:
    """Remembers what went wrong, to be raised when every piece has had its turn."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._trouble: Exception | None = None

    @contextmanager
    def piece(self, message: str, **facts: object) -> Iterator[None]:
        """Do one piece; log *message* with *facts* if it goes wrong, and let the next one go on.

        Raises:
            Unavailable: The database is gone, for every piece.
        """
        try:
            yield
        except Unavailable:
            raise
        except BotError as error:
            self._log.warning(message, extra={**facts, "error": error.code})
            self._trouble = error
        except Exception as error:  # noqa: BLE001 - the edge of a piece: its trouble is its own
            self._log.exception(message, extra=facts)
            self._trouble = error

    def tell(self) -> None:
        """Raise the last trouble, if there was any."""
        if self._trouble is not None:
            raise self._trouble
