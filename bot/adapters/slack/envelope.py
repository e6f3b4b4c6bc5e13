"""What travels with a request through Bolt, and the row that a listener commits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.async_app import AsyncBoltContext

from bot.errors import BotError
from store.records import NewInboxItem, StoreError, Unavailable

ENVELOPE = "keyturn_envelope"
COMMIT_S = 2.3  # Slack waits three seconds for the whole answer

Put = Callable[[NewInboxItem], Awaitable[bool]]


@dataclass
class Envelope:
    """Travels with a request through Bolt: its digest in, what became of it out.

    `later` holds what goes on after the acknowledgement: Bolt keeps no hold of it.
    """

    digest: str
    later: set[asyncio.Task[None]] = field(default_factory=set)
    handled: bool = False
    trouble: BotError | StoreError | None = None

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work* beside the answer."""
        task = asyncio.create_task(work)
        self.later.add(task)
        task.add_done_callback(self.later.discard)


def envelope_of(context: AsyncBoltContext) -> Envelope:
    """The envelope of the request that *context* is of."""
    envelope: Envelope = context[ENVELOPE]
    return envelope


async def commit(
    context: AsyncBoltContext, put: Put, make: Callable[[str], NewInboxItem]
) -> NewInboxItem | None:
    """Commit the row; None when it is not new. What went wrong goes into the envelope."""
    envelope = envelope_of(context)
    envelope.handled = True
    try:
        item = make(envelope.digest)
        async with asyncio.timeout(COMMIT_S):
            return item if await put(item) else None
    except TimeoutError:
        envelope.trouble = Unavailable(f"not committed within {COMMIT_S:g} s")
        return None
    except (BotError, StoreError) as error:
        envelope.trouble = error
        return None
