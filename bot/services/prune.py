"""What was done and told long ago is cleared away by the clock, or because a person asks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from bot.ports.store import Store
from store.records import AuditDraft, Keeping

AT_ONCE = 500  # rows of one kind in one transaction
_log = logging.getLogger(__name__)


async def prune(
    store: Store,
    keeping: Keeping,
    *,
    user_id: str,
    done: Callable[[int], None] | None = None,
) -> Mapping[str, int]:
    """Remove what is older than *keeping* lets it be; return how many rows of each kind went.

    A few rows a transaction, so that nobody waits long for it. What was removed is recorded, by
    number. In a paused database nothing is removed: its rows are what it is compared by.

    Args:
        store: Where.
        keeping: How long what is kept.
        user_id: Who asked, for the audit trail.
        done: Called after each transaction with how many rows are gone by then.
    """
    gone: Counter[str] = Counter()
    while some := await _clear(store, keeping):
        gone.update(some)
        if done is not None:
            done(gone.total())
    if gone:
        async with store.write() as tx:
            await tx.audit.append(_entry(gone, user_id))
        _log.info("cleared away", extra=dict(gone))
    return dict(gone)


async def _clear(store: Store, keeping: Keeping) -> Mapping[str, int]:
    """One transaction's work; empty when nothing is left."""
    async with store.write() as tx:
        if await tx.pause.current() is not None:
            return {}
        some = await tx.retention.clear(keeping, at_most=AT_ONCE)
    return {kind: count for kind, count in some.items() if count}


def _entry(gone: Mapping[str, int], user_id: str) -> AuditDraft:
    return AuditDraft(
        user_id=user_id,
        action="retention.prune",
        resource="database",
        status="ok",
        what={"removed": dict(gone)},
        ip_note="the clock" if user_id == "keyturn" else "the command line",
    )
