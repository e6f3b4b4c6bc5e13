"""Whether something else went live after a rollback."""

from __future__ import annotations

from datetime import datetime

from bot.domain import legs
from bot.ports.store import Transaction
from store.records import Leg, Rollback

HISTORY = 50  # versions among which the first that took ours' place is looked for


async def changed_at(tx: Transaction, rollback: Rollback) -> datetime | None:
    """When something else than *rollback* brought went live first, in any of its apps."""
    found = [await replaced_at(tx, rollback, leg) for leg in rollback.legs]
    return min((at for at in found if at is not None), default=None)


async def replaced_at(tx: Transaction, rollback: Rollback, leg: Leg) -> datetime | None:
    """When another content followed what *leg* of *rollback* made live.

    Of a copy, which may not know that, what followed what was live before.
    """
    brought = legs.brought(rollback)
    made_id, _ = brought.get(rollback.legs.index(leg), (leg.from_version_id, ""))
    made, to = await tx.versions.get(made_id), await tx.versions.get(leg.to_version_id)
    newer = [
        version.published_at
        for version in await tx.versions.history(leg.where, limit=HISTORY)
        if (version.number or 0) > (made.number or 0) and version.meaning != to.meaning
    ]
    return min(newer, default=None)
