"""`/rollback status`: what is live, what waits for approval, and what has to be reviewed."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import drill, glass
from bot.domain.words import AnswerCode
from bot.ports.store import Store, Transaction
from bot.services.review import MOST
from bot.services.slash.told import Told
from store.records import OPEN_STATES, AppEnv, Json, Rollback

MOST_ROWS = 20


async def status(store: Store, seen: Sequence[AppEnv]) -> Told:
    """Return one row an app that was read, those where something is open first; 20 at most."""
    async with store.read() as tx:
        read = await tx.versions.newest_target_ids()
        opened = await tx.rollbacks.in_states(sorted(OPEN_STATES))
        running = {leg.where: rollback for rollback in opened for leg in rollback.legs}
        reviews: dict[AppEnv, list[Rollback]] = {}
        for rollback in await tx.rollbacks.to_review(limit=MOST):
            for leg in rollback.legs:
                reviews.setdefault(leg.where, []).append(rollback)
        known = (where for where in seen if where in read)
        first = sorted(known, key=lambda at: (at not in running and at not in reviews, at))
        rows = [
            await _row(tx, where, running.get(where), reviews.get(where, ()))
            for where in first[:MOST_ROWS]
        ]
    return Told(AnswerCode.STATUS, {"rows": rows})


async def _row(
    tx: Transaction, where: AppEnv, rollback: Rollback | None, reviews: Sequence[Rollback]
) -> Json:
    live = await tx.versions.newest(where)
    oldest = await tx.versions.import_mark(where)
    paused = await tx.suggestions.paused(where)
    silenced = await tx.silences.of(where)
    return {
        "where": str(where),
        "number": live.number if live else None,
        "published_at": live.published_at.isoformat() if live else "",
        "rollback": rollback.id if rollback else 0,
        **drill.mark(rollback),
        "state": rollback.state.value if rollback else "",
        "case_id": rollback.case_id if rollback else 0,
        "not_imported": (oldest or 1) - 1,
        "paused_until": paused.until.isoformat() if paused else "",
        "paused_by": paused.slack_id if paused else "",
        "silenced_until": silenced.until.isoformat() if silenced else "",
        "silenced_by": silenced.slack_id if silenced else "",
        "reviews": [_review(ended) for ended in reviews],
    }


def _review(ended: Rollback) -> Json:
    broken = ended.broken_by
    return {
        "rollback": ended.id,
        "slack_id": broken.slack_id if broken else "",
        "count": len(ended.signatures),
        "needed": glass.SIGNATURES,
    }
