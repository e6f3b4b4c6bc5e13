"""Has what people see brought up to what is stored, after Slack was out of reach."""

from __future__ import annotations

from collections.abc import Callable

from bot.ports.store import Store
from bot.services.outgoing import card_row


class Resync:
    """Has every open card drawn again, and everything that waits looked at.

    What stands in Slack cannot be read without a right that we do not ask for. So each card is
    rewritten: where it is the same nobody sees anything, and one that is wrong or was deleted is
    put right. Of several such rows one is sent. A card that was never posted has its row already.
    """

    def __init__(self, store: Store, *, nudge: Callable[[], None]) -> None:
        self._store = store
        self._nudge = nudge

    async def __call__(self) -> int:
        """Queue the cards and wake the workers; return how many.

        Raises:
            Unavailable: The database cannot be reached; nothing was queued.
        """
        async with self._store.write() as tx:
            standing = [case for case in await tx.cases.open_cases() if case.card_ts]
            for case in standing:
                await tx.outbox.put(card_row(case))
        self._nudge()
        return len(standing)
