"""`/rollback status`: what is live, and what waits for approval."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.words import AnswerCode
from bot.ports.store import Store, Transaction
from bot.services.slash.told import Told
from store.records import OPEN_STATES, AppEnv, Json, Rollback

MOST_ROWS = 20


async def status(store: Store, seen: Sequence[AppEnv]) -> Told:
    """Return one row an app that was read, those with an open rollback first; 20 at most."""
    async with store.read() as tx:
        read = await tx.versions.newest_target_ids()
        opened = await tx.rollbacks.in_states(sorted(OPEN_STATES))
        running = {leg.where: rollback for rollback in opened for leg in rollback.legs}
        known = (where for where in seen if where in read)
        first = sorted(known, key=lambda where: (where not in running, where))
        rows = [await _row(tx, where, running.get(where)) for where in first[:MOST_ROWS]]
    return Told(AnswerCode.STATUS, {"rows": rows})


async def _row(tx: Transaction, where: AppEnv, rollback: Rollback | None) -> Json:
    live = await tx.versions.newest(where)
    oldest = await tx.versions.import_mark(where)
    return {
        "where": str(where),
        "number": live.number if live else None,
        "published_at": live.published_at.isoformat() if live else "",
        "rollback": rollback.id if rollback else 0,
        "state": rollback.state.value if rollback else "",
        "case_id": rollback.case_id if rollback else 0,
        "not_imported": (oldest or 1) - 1,
    }
