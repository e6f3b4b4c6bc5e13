"""What people made of the suggestions that the store remembers, and what would be said today."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.domain import drill, onset, quorum
from bot.domain.verdict import feedback
from bot.domain.verdict.feedback import Answer, Answered
from bot.ports.store import Store, Transaction
from bot.services.looking.gather import HISTORY, Gather
from bot.services.looking.heard import begun_by
from bot.services.looking.judge import beliefs
from bot.services.opening.ground import Ground
from bot.services.opening.rules import Rules
from store.records import Case, Firing, Rollback, Search, Version

if TYPE_CHECKING:
    from bot.domain.verdict.decide import Decision

_AT_ONCE = 500


@dataclass(frozen=True)
class Past:
    """One suggestion of the past, or a silence after which people went back, in its case.

    `suggested` is the version that Keyturn named, None for a silence; `picked` is the one that
    people went back to by themselves. `firings` are the case's alerts.
    """

    case: Case
    answered: Answered
    suggested: Version | None
    picked: Version | None
    firings: Sequence[Firing]


@dataclass(frozen=True)
class Again:
    """`past`, and what is decided of it today: None where it cannot be decided again."""

    past: Past
    decision: Decision | None

    @property
    def otherwise(self) -> bool:
        """Whether another content is suggested today, or one where none was, or none."""
        if self.decision is None:
            return False
        now, then = self.decision.suggested, self.past.suggested
        if now is None or then is None:
            return now is not None or then is not None
        return (now.where, now.content) != (then.where, then.meaning)


class LookingBack:
    """Reads the history of suggestions; changes nothing."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._gather = Gather(store, rules, look_back=None)  # what was measured is not stored
        self._beliefs = beliefs(rules)
        self._thresholds = rules.thresholds

    async def past(self, *, since: datetime) -> list[Past]:
        """What people answered in cases that were opened from *since* on, oldest case first."""
        rollbacks = await self._rollbacks(since)
        found: list[Past] = []
        async for case in self._cases(since):
            async with self._store.read() as tx:
                found += await _of_case(tx, case, rollbacks.get(case.id, ()))
        return found

    async def decide_again(self, past: Past) -> Again:
        """Decide the case of *past* as of then by today's rules, from what the store has of it.

        What people had answered by then to earlier suggestions counts. What has been condemned or
        named since is left out, and so is what was measured, of which nothing is stored. It cannot
        be decided where nothing of the app was stored, or the alert was another app's.
        """
        from bot.domain.verdict.decide import decide  # with numpy and scipy, so late

        where, at = past.case.where, past.answered.at
        async with self._store.read() as tx:
            history = await tx.versions.history(where, limit=HISTORY, search=Search(until=at))
        known = [firing for firing in past.firings if firing.starts_at <= at]
        if not history or not known:
            return Again(past, None)
        firing = onset.began(known, before=None, history=history)
        ground = Ground(history[0], history, frozenset())
        incident, _ = await self._gather(ground, firing, unsound=frozenset(), at=at)
        of_then = replace(incident, condemned={}, good={})
        decision = await asyncio.to_thread(
            decide, of_then, of=self._beliefs, thresholds=self._thresholds
        )
        return Again(past, decision)

    async def _rollbacks(self, since: datetime) -> Mapping[int, Sequence[Rollback]]:
        """What was opened from *since* on, by its case."""
        found: dict[int, list[Rollback]] = {}
        after = 0
        while True:
            async with self._store.read() as tx:
                some = await tx.rollbacks.opened(since=since, after=after, limit=_AT_ONCE)
            if not some:
                return found
            for rollback in some:
                found.setdefault(rollback.case_id, []).append(rollback)
            after = some[-1].id

    async def _cases(self, since: datetime) -> AsyncIterator[Case]:
        after = 0
        while True:
            async with self._store.read() as tx:
                some = await tx.cases.opened(since=since, after=after, limit=_AT_ONCE)
            if not some:
                return
            for case in some:
                yield case
            after = some[-1].id


async def _of_case(tx: Transaction, case: Case, rollbacks: Sequence[Rollback]) -> list[Past]:
    firings = drill.real(await tx.alerts.of_case(case.id))
    ours = [r for r in rollbacks if r.requested_by == quorum.KEYTURN and not r.drill]
    if not ours:
        silence = await _silence(tx, case, rollbacks, firings)
        return [silence] if silence is not None else []
    found = [await _suggestion(tx, case, rollback, rollbacks, firings) for rollback in ours]
    return [past for past in found if past is not None]


async def _suggestion(
    tx: Transaction,
    case: Case,
    rollback: Rollback,
    rollbacks: Sequence[Rollback],
    firings: Sequence[Firing],
) -> Past | None:
    """What became of *rollback*; None while it is open."""
    suggested = await tx.versions.get(rollback.leg.to_version_id)
    picked = await _picked(tx, case, rollbacks, since=rollback.opened_at)
    came = feedback.answer(
        rollback, suggested=suggested.meaning, picked=picked.meaning if picked else None
    )
    if came is None:
        return None
    name = begun_by(firings)
    reason = feedback.reason(rollback)
    answered = Answered(case.where, name, rollback.opened_at, came, reason)
    return Past(case, answered, suggested, picked, firings)


async def _silence(
    tx: Transaction, case: Case, rollbacks: Sequence[Rollback], firings: Sequence[Firing]
) -> Past | None:
    """That people went back after an alert on which nothing was suggested, if they did."""
    if not firings:
        return None
    began = firings[0].starts_at
    picked = await _picked(tx, case, rollbacks, since=began)
    if picked is None:
        return None
    at = max(case.opened_at, began)
    answered = Answered(case.where, begun_by(firings), at, Answer.MISSED)
    return Past(case, answered, None, picked, firings)


async def _picked(
    tx: Transaction, case: Case, rollbacks: Sequence[Rollback], *, since: datetime
) -> Version | None:
    """What people went back to after *since*: what they asked for first, or published by hand."""
    for rollback in rollbacks:
        leg = rollback.leg_of(case.where)
        theirs = rollback.requested_by != quorum.KEYTURN and not rollback.drill
        if theirs and leg is not None and rollback.opened_at > since:
            return await tx.versions.get(leg.to_version_id)
    history = await tx.versions.history(case.where, limit=HISTORY)
    until = case.closed_at or await tx.now()
    return feedback.gone_back_by_hand(history, since=since, until=until)
