"""What people answered to what was suggested before, for the same app and alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import quorum
from bot.domain.verdict import feedback
from bot.domain.verdict.feedback import KEPT, Answered
from bot.domain.verdict.incident import Heard
from bot.ports.store import Transaction
from store.records import AppEnv, Firing


async def heard(tx: Transaction, where: AppEnv, alert: str, *, now: datetime) -> Heard:
    """What people answered until *now* to suggestions for *where* when *alert* fired."""
    answers: list[Answered] = []
    for rollback in await tx.rollbacks.opened(since=now - KEPT, where=where):
        ended = rollback.finished_at
        ours = rollback.requested_by == quorum.KEYTURN and not rollback.drill
        if not ours or ended is None or ended > now:
            continue
        came = feedback.answer(rollback, suggested="")
        if came in feedback.SPOKEN:
            name = begun_by(await tx.alerts.of_case(rollback.case_id))
            answers.append(Answered(where, name, ended, came, feedback.reason(rollback)))
    return feedback.heard(answers, alert)


def begun_by(firings: Sequence[Firing]) -> str:
    """The name of the alert that a case of *firings*, in order, began with; "" without one."""
    return firings[0].alertname if firings else ""
