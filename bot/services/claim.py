"""Claim an approved rollback: where approval and execution meet.

Everybody on whose word it runs is looked up afresh and live is read again before one transaction
decides: vote void, content changed, or go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import approval, glass, legs, quorum
from bot.domain.words import NoteCode, OutcomeCode
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets, TargetVersion
from bot.services.drill.ending import over
from bot.services.mandate import Mandate, Standing
from bot.services.outdate import supersede
from bot.services.outgoing import by_keyturn, card_row, ended_facts, moved, note_row
from store.records import AppEnv, Json, Leg, Rollback, State, Step, VersionKind

Practises = Callable[[AppEnv], bool]  # whether an app serves nobody, so that drills may change it


def nowhere(_where: AppEnv) -> bool:
    """No app is marked for drills."""
    return False


@dataclass(frozen=True)
class _Ground:
    """What is live where a leg begins."""

    leg: Leg
    live: TargetVersion | None
    allowed: bool  # False: the app has no versions, and its table no longer opts in


class Claim:
    """Claims for one executor, *owner*; of several that want the same one gets it."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        mandate: Mandate,
        *,
        owner: str,
        lease: timedelta,
        practises: Practises = nowhere,
    ) -> None:
        self._store = store
        self._targets = targets
        self._mandate = mandate
        self._owner = owner
        self._lease = lease
        self._practises = practises

    async def __call__(self, rollback: Rollback) -> Rollback | None:
        """Move it to EXECUTING under our lease, or to where it belongs; None: nowhere, by us.

        Raises:
            BotError: Slack or the target cannot say what has to be known; nothing was decided.
        """
        standing, grounds = await asyncio.gather(
            self._mandate.of(rollback),
            asyncio.gather(*(self._ground(leg) for leg in rollback.legs)),
        )
        async with self._store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            if current.revision != rollback.revision or await tx.pause.current():
                return None  # somebody else was quicker, or said stop
            if current.drill and not all(self._practises(leg.where) for leg in current.legs):
                await supersede(tx, current, OutcomeCode.NO_DRILL_APP)
                return await tx.rollbacks.get(current.id)
            return await self._judge(tx, current, standing, grounds)

    async def _ground(self, leg: Leg) -> _Ground:
        target, app_id = self._targets.of(leg.where)
        live = await target.live(app_id)
        at_once = live is not None and live.kind is VersionKind.MODEL_CONFIG
        allowed = not at_once or self._targets.rolls_back_config(leg.where)
        return _Ground(leg, live, allowed)

    async def _judge(
        self, tx: Transaction, rollback: Rollback, standing: Standing, grounds: Sequence[_Ground]
    ) -> Rollback | None:
        now = await tx.now()
        if now >= rollback.expires_at or self._mandate.held(rollback, now):
            return None  # the expiry job ends it, with its own entry; a freeze passes
        if standing.barred_breaker is not None:
            return await self._void_glass(tx, rollback, standing.barred_breaker, now)
        if standing.barred_asker is not None:
            return await self._take_back(tx, rollback, standing.barred_asker, now)
        if standing.not_eligible:
            return await self._void(tx, rollback, standing.not_eligible, now)
        changed = _what_changed(grounds)
        if changed is not None:
            await supersede(tx, rollback, changed)
            return await tx.rollbacks.get(rollback.id)
        return await self._go(tx, rollback, now) if standing.carries(rollback) else None

    async def _go(self, tx: Transaction, rollback: Rollback, now: datetime) -> Rollback:
        execution = replace(
            rollback.execution,
            step=Step.CLAIMED,
            position=legs.first(rollback),
            owner=self._owner,
            lease_epoch=rollback.execution.lease_epoch + 1,
            lease_until=now + self._lease,
        )
        claimed = await tx.rollbacks.save(
            rollback.moved(State.EXECUTING, execution=execution),
            was=rollback.revision,
            entry=by_keyturn(rollback, "rollback.execute", digest=rollback.content_digest),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(claimed)))
        broken = rollback.broken_by
        facts: dict[str, Json] = {
            "slack_ids": [vote.slack_id for vote in quorum.approvals(rollback)],
            **({"broken_by": broken.slack_id, "needed": quorum.needed(rollback)} if broken else {}),
        }
        await tx.outbox.put(note_row(case, NoteCode.EXECUTING, facts, moved(claimed)))
        return claimed

    async def _take_back(
        self, tx: Transaction, rollback: Rollback, why: str, now: datetime
    ) -> Rollback:
        """Nobody else was needed, and who asked may no longer: nothing is left to run on."""
        after = await tx.rollbacks.save(
            approval.lose_requester(rollback, at=now),
            was=rollback.revision,
            entry=by_keyturn(rollback, "rollback.requester_lost", why=why),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(after)))
        await tx.outbox.put(note_row(case, NoteCode.ENDED, ended_facts(after), moved(after)))
        await over(tx, case, after)
        return after

    async def _void_glass(
        self, tx: Transaction, rollback: Rollback, why: str, now: datetime
    ) -> Rollback:
        after = await tx.rollbacks.save(
            glass.void(rollback, why, at=now),
            was=rollback.revision,
            entry=by_keyturn(rollback, "rollback.break_glass_void", why=why),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(after)))
        facts = {"slack_id": rollback.glass[-1].slack_id, "why": why}
        await tx.outbox.put(note_row(case, NoteCode.GLASS_VOID, facts, moved(after)))
        return after

    async def _void(
        self, tx: Transaction, rollback: Rollback, why: Mapping[str, str], now: datetime
    ) -> Rollback:
        after = await tx.rollbacks.save(
            approval.void_votes(rollback, why, at=now),
            was=rollback.revision,
            entry=by_keyturn(rollback, "vote.void", why=dict(why)),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(after)))
        for vote in rollback.votes:
            if vote.person in why and vote.voided_at is None:
                facts = {"slack_id": vote.slack_id, "why": why[vote.person]}
                cause = f"{moved(after)}:{vote.person}"
                await tx.outbox.put(note_row(case, NoteCode.VOTE_VOID, facts, cause))
        return after


def _what_changed(grounds: Sequence[_Ground]) -> OutcomeCode | None:
    """What the reviewers saw against what is live now."""
    changed = {_what_changed_in(ground) for ground in grounds}
    if changed == {OutcomeCode.ALREADY_LIVE}:
        return OutcomeCode.ALREADY_LIVE
    for code in (OutcomeCode.OPTED_OUT, OutcomeCode.LIVE_CHANGED, OutcomeCode.ALREADY_LIVE):
        if code in changed:  # of several apps one alone is live already: not what was shown
            return code if code is OutcomeCode.OPTED_OUT else OutcomeCode.LIVE_CHANGED
    return None


def _what_changed_in(ground: _Ground) -> OutcomeCode | None:
    leg, live = ground.leg, ground.live
    if not ground.allowed:
        return OutcomeCode.OPTED_OUT
    if live is None:
        return OutcomeCode.LIVE_CHANGED
    if live.document.root == leg.expected_root:
        return OutcomeCode.ALREADY_LIVE
    # An equal save is no version of ours, so of a configuration the content alone says it.
    other = live.external_id != leg.live_external_id and live.kind is not VersionKind.MODEL_CONFIG
    if other or live.document.root != leg.live_root:
        return OutcomeCode.LIVE_CHANGED
    return None
