"""Somebody published again what was rolled back: it is said, and is in the record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from bot.ports.store import Transaction
from bot.services.alerting.rows import alert_row
from bot.services.outgoing import condemned_again_row
from store.records import AuditDraft, Version, VersionSource

log = logging.getLogger(__name__)
_LONGEST_BAKE = timedelta(hours=24)  # what is older than that is told of no more
LOOKED_BACK = 200  # versions among which the one that was rolled back is looked for


async def notice(tx: Transaction, fresh: Sequence[Version], *, channel: str) -> bool:
    """Say which of *fresh*, new versions of one app, are condemned; True if there was one.

    What a rollback of ours made live was asked for with a reason and approved: it is none.
    Without a *channel* it is only recorded.
    """
    where = fresh[0].where
    condemned = await tx.versions.condemned(where)
    again = [
        version
        for version in fresh
        if version.meaning in condemned and version.source is VersionSource.PUBLISHED
    ]
    for version in again:
        await tx.audit.append(_entry(version))
        if channel:
            row = condemned_again_row(version, await _before(tx, version), channel)
            await tx.outbox.put(row)
        facts = {"app": str(where), "version": version.number}
        log.warning("what was rolled back was published again", extra=facts)
    return bool(again)


async def alert(tx: Transaction, fresh: Sequence[Version]) -> None:
    """Let Alertmanager know if what was rolled back lately is not what is live any more."""
    newest = fresh[-1]
    if newest.source is VersionSource.ROLLBACK:
        return  # whoever carried it out tells
    since = await tx.now() - _LONGEST_BAKE
    done = [one for one in await tx.rollbacks.completed(newest.where, since=since) if not one.drill]
    if done:
        await tx.outbox.put(alert_row(done[-1], f"version:{newest.id}"))


async def _before(tx: Transaction, version: Version) -> Version | None:
    """The newest version before it that means the same."""
    older = await tx.versions.history(version.where, limit=LOOKED_BACK, before=version.number)
    return next((other for other in older if other.meaning == version.meaning), None)


def _entry(version: Version) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action="version.condemned_again",
        resource=f"version/{version.id}",
        status="ok",
        what={"app": str(version.where), "number": version.number, "author": version.author},
        ip_note="Keyturn itself",
    )
