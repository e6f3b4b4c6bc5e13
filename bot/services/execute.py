"""Execute what was approved: claim it, carry it out, or say why not.

The claim is where approval and execution meet. Everybody who voted is looked up afresh and
live is read again before one transaction decides: vote void, content changed, or go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.domain import approval, glass, legs, quorum
from bot.domain.words import NoteCode, OutcomeCode
from bot.errors import BotError, LeaseLost, UnknownApp, UpstreamDown, UpstreamRefused
from bot.ports.people import Directory
from bot.ports.sealing import Sealing
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets, TargetVersion
from bot.services.carry_out import CarryOut
from bot.services.contents import Contents
from bot.services.draft_seal import DraftSeal
from bot.services.eligibility import Eligibility
from bot.services.lease import LEASE, Lease
from bot.services.outdate import supersede
from bot.services.outgoing import card_row, ended_facts, moved, note_row
from bot.services.progress import Progress
from bot.services.settle import Ending, Settle, unsettled
from bot.services.stepping import PATIENCE, Pause, Stepping
from bot.services.write_config import WriteConfig
from store.failpoint import fp
from store.records import (
    AppEnv,
    AuditDraft,
    Execution,
    Json,
    Leg,
    Rollback,
    State,
    Step,
    VersionKind,
)

log = logging.getLogger(__name__)
_READY = (State.APPROVED, State.BROKEN_GLASS)
_GOING = (State.EXECUTING, State.VERIFYING)
_NOT_PUBLISHED = (Step.CLAIMED, Step.STAGING, Step.PUBLISHING)  # but see UNDOING: it looks again


Frozen = Callable[[AppEnv, datetime], datetime | None]  # until when nothing is rolled back


def _never(_where: AppEnv, _at: datetime) -> None:
    """No policy names a time in which nothing is rolled back."""


@dataclass(frozen=True)
class _Ground:
    """What is live where a leg begins."""

    leg: Leg
    live: TargetVersion | None
    allowed: bool  # False: the app has no versions, and its table no longer opts in


@dataclass(frozen=True)
class _Facts:
    """What was asked afresh, outside any transaction, just before the claim."""

    not_eligible: Mapping[str, str]  # person → code of why
    grounds: Sequence[_Ground]  # one a leg
    barred_breaker: str | None = None  # why who broke the glass may not
    barred_asker: str | None = None  # why who asked may not, where their word alone is enough


class Execute:
    """Looks for work and does it; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        *,
        owner: str,
        sealing: Sealing,
        pause: Pause,
        lease: timedelta = LEASE,
        frozen: Frozen = _never,
    ) -> None:
        self._store = store
        self._targets = targets
        self._eligibility = Eligibility(directory)
        self._owner = owner
        self._sealing = sealing
        self._pause = pause
        self._lease = lease
        self._frozen = frozen
        self._told: set[int] = set()  # rollbacks whose thread says that they wait for a freeze
        self._settle = Settle(store)
        self._at_hand: set[int] = set()  # rollbacks that another step of this very process has

    async def step(self) -> bool:
        """Execute one rollback that is approved, or whose executor has died; True if one was.

        Several steps may run beside each other: each has rollbacks of its own at hand, so that
        a target that hangs holds up nothing but its own.

        Raises:
            BotError: Slack or the target cannot say what the claim must know, or the app is no
                longer configured; nothing was executed (it fails closed), and the rollback
                waits until it expires.
        """
        async with self._store.read() as tx:
            if await tx.pause.current() is not None:
                return False
            found = await tx.rollbacks.in_states((*_READY, *_GOING))
            now = await tx.now()
        waiting = [rollback for rollback in found if not await self._waits(rollback, now)]
        blocked: BotError | None = None
        for rollback in waiting:
            if rollback.id in self._at_hand:
                continue
            self._at_hand.add(rollback.id)
            try:
                if await self._take(rollback, now):
                    return True
            except BotError as error:
                blocked = error  # one rollback that cannot be claimed must not hold up others
                if isinstance(error, UpstreamDown | UpstreamRefused):
                    await self._settle.say_waiting(rollback, error)
            finally:
                self._at_hand.discard(rollback.id)
        if blocked is not None:
            raise blocked
        return False

    async def _waits(self, rollback: Rollback, now: datetime) -> bool:
        """Whether it is approved in a time in which its policy wants nothing changed.

        What runs by break-glass goes through: that is what it is for.
        """
        until = self._frozen_until(rollback, now)
        if rollback.state is not State.APPROVED or until is None:
            return False
        if rollback.id not in self._told:
            facts: dict[str, Json] = {"until": until.astimezone(UTC).isoformat()}
            if rollback.policy.breakers:  # who may go through it is told how
                facts["where"] = str(rollback.leg.where)
            async with self._store.write() as tx:
                case = await tx.cases.get(rollback.case_id)
                cause = f"rollback:{rollback.id}:frozen"
                await tx.outbox.put(note_row(case, NoteCode.WAITING_FOR_THAW, facts, cause))
            self._told.add(rollback.id)
        return True

    async def _take(self, rollback: Rollback, now: datetime) -> bool:
        """True if anything came of it; what only waits must not keep the worker busy."""
        if rollback.state in _READY:
            taken = await self._claim(rollback)
        elif rollback.execution.lease_until is None or rollback.execution.lease_until < now:
            taken = await self._take_over(rollback)
        else:
            return False
        if taken is not None and taken.state in _GOING:
            await self._carry_out(taken)
        return taken is not None

    async def _carry_out(self, rollback: Rollback) -> None:
        fp("execute:claimed")
        execution = rollback.execution
        async with Lease(
            self._store,
            rollback.id,
            owner=self._owner,
            epoch=execution.lease_epoch,
            length=self._lease,
        ) as lease:
            progress = Progress(rollback, store=self._store, settle=self._settle)
            try:
                while progress.rollback.open:
                    await self._leg(progress, lease)
            except LeaseLost as lost:
                log.warning(
                    "execution taken over", extra={"rollback": rollback.id, "why": str(lost)}
                )
                return
        ended = progress.rollback
        facts = {"rollback": ended.id, "state": ended.state, "outcome": ended.outcome}
        log.info("rollback ended", extra=facts)

    async def _leg(self, progress: Progress, lease: Lease) -> None:
        """Carry out the leg that *progress* is at."""
        leg = progress.rollback.current
        target, app_id = self._targets.of(leg.where)
        contents = await Contents.of(self._store, leg)
        carry_out: Stepping = _way(contents)(
            progress,
            store=self._store,
            target=target,
            app_id=app_id,
            contents=contents,
            seal=DraftSeal(
                self._sealing,
                store=self._store,
                target=target,
                app_id=app_id,
                contents=contents,
            ),
            lease=lease,
            pause=self._pause,
        )
        await carry_out()

    # -- the claim ----------------------------------------------------------------------------

    async def _claim(self, rollback: Rollback) -> Rollback | None:
        """Move it to EXECUTING under our lease, or to where it belongs; None: nowhere, by us."""
        facts = await self._ask(rollback)
        async with self._store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            if current.revision != rollback.revision or await tx.pause.current():
                return None  # somebody else was quicker, or said stop
            return await self._judge(tx, current, facts)

    async def _ask(self, rollback: Rollback) -> _Facts:
        async with self._store.read() as tx:
            channel = (await tx.cases.get(rollback.case_id)).channel
        alone = quorum.reached(rollback, ()) and rollback.broken_by is None
        (not_eligible, barred_breaker, barred_asker), grounds = await asyncio.gather(
            asyncio.gather(
                self._voters_not_eligible(rollback, channel),
                self._eligibility.of_breaker(rollback, channel=channel),
                self._barred_asker(rollback, alone=alone),
            ),
            asyncio.gather(*(self._ground(leg) for leg in rollback.legs)),
        )
        return _Facts(
            not_eligible=not_eligible,
            grounds=grounds,
            barred_breaker=barred_breaker,
            barred_asker=barred_asker,
        )

    async def _barred_asker(self, rollback: Rollback, *, alone: bool) -> str | None:
        return await self._eligibility.of_asker(rollback) if alone else None

    async def _ground(self, leg: Leg) -> _Ground:
        target, app_id = self._targets.of(leg.where)
        live = await target.live(app_id)
        at_once = live is not None and live.kind is VersionKind.MODEL_CONFIG
        allowed = not at_once or self._targets.rolls_back_config(leg.where)
        return _Ground(leg, live, allowed)

    async def _judge(self, tx: Transaction, rollback: Rollback, facts: _Facts) -> Rollback | None:
        now = await tx.now()
        if now >= rollback.expires_at or self._held(rollback, now):
            return None  # the expiry job ends it, with its own entry; a freeze passes
        if facts.barred_breaker is not None:
            return await self._void_glass(tx, rollback, facts.barred_breaker, now)
        if facts.barred_asker is not None:
            return await self._take_back(tx, rollback, facts.barred_asker, now)
        if facts.not_eligible:
            return await self._void(tx, rollback, facts.not_eligible, now)
        changed = _what_changed(facts.grounds)
        if changed is not None:
            await supersede(tx, rollback, changed)
            return await tx.rollbacks.get(rollback.id)
        carried = rollback.broken_by is not None or quorum.reached(rollback)
        return await self._go(tx, rollback, now) if carried else None

    def _held(self, rollback: Rollback, now: datetime) -> bool:
        """Whether a freeze holds it; not what runs by break-glass."""
        frozen = self._frozen_until(rollback, now) is not None
        return frozen and rollback.broken_by is None

    async def _voters_not_eligible(self, rollback: Rollback, channel: str) -> Mapping[str, str]:
        """Whose vote is void as of now; votes do not carry what runs by break-glass."""
        if rollback.broken_by is not None:
            return {}
        return await self._eligibility.of_voters(rollback, channel=channel)

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
            entry=_entry(rollback, "rollback.execute", digest=rollback.content_digest),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(claimed)))
        broken = rollback.broken_by
        facts: dict[str, Json] = {
            "slack_ids": [vote.slack_id for vote in quorum.approvals(rollback)],
            **({"broken_by": broken.slack_id} if broken else {}),
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
            entry=_entry(rollback, "rollback.requester_lost", why=why),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(after)))
        await tx.outbox.put(note_row(case, NoteCode.ENDED, ended_facts(after), moved(after)))
        return after

    async def _void_glass(
        self, tx: Transaction, rollback: Rollback, why: str, now: datetime
    ) -> Rollback:
        after = await tx.rollbacks.save(
            glass.void(rollback, why, at=now),
            was=rollback.revision,
            entry=_entry(rollback, "rollback.break_glass_void", why=why),
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
            entry=_entry(rollback, "vote.void", why=dict(why)),
        )
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(card_row(case, moved(after)))
        for vote in rollback.votes:
            if vote.person in why and vote.voided_at is None:
                facts = {"slack_id": vote.slack_id, "why": why[vote.person]}
                cause = f"{moved(after)}:{vote.person}"
                await tx.outbox.put(note_row(case, NoteCode.VOTE_VOID, facts, cause))
        return after

    # -- after a crash ------------------------------------------------------------------------

    async def _take_over(self, rollback: Rollback) -> Rollback | None:
        """Take the lease of an executor that let it run out; the step it committed stands.

        Before anything was published the approval is asked for afresh, as at the claim: hours
        may have passed. Afterwards only what is there is verified, whoever has left.
        """
        not_eligible = await self._not_eligible_now(rollback)
        barred = await self._barred_now(rollback)
        no_glass = await self._no_glass_now(rollback)
        async with self._store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            now = await tx.now()
            until = current.execution.lease_until
            moved_on = _place(current.execution) != _place(rollback.execution)
            held = until is not None and until >= now
            if current.state not in _GOING or held or moved_on or await tx.pause.current():
                return None
            execution = replace(
                current.execution,
                owner=self._owner,
                lease_epoch=current.execution.lease_epoch + 1,
                lease_until=now + self._lease,
                attempt=current.execution.attempt + 1,
            )
            taken = await tx.rollbacks.save(
                current.moved(current.state, execution=execution),
                was=current.revision,
                entry=_entry(current, "rollback.take_over", step=current.execution.step),
            )
        if taken.execution.attempt > PATIENCE:  # it dies each time: a person has to look
            return await self._settle(taken, unsettled(self._system(taken)))
        frozen = self._held(taken, now)
        why: dict[str, Json] = {
            "expired": now >= taken.expires_at,
            **({"frozen": True} if frozen else {}),
            **({"requester": barred} if barred is not None else {}),
            **({"break_glass": no_glass} if no_glass is not None else {}),
        }
        return await self._stop_if_lapsed(taken, not_eligible, why)

    async def _not_eligible_now(self, rollback: Rollback) -> Mapping[str, str]:
        if rollback.execution.step not in _NOT_PUBLISHED or rollback.execution.backwards:
            return {}
        async with self._store.read() as tx:
            channel = (await tx.cases.get(rollback.case_id)).channel
        return await self._voters_not_eligible(rollback, channel)

    async def _no_glass_now(self, rollback: Rollback) -> str | None:
        """Why who broke the glass may no longer, where it runs on their word."""
        execution = rollback.execution
        published = execution.step not in _NOT_PUBLISHED or execution.backwards
        if published or rollback.broken_by is None:
            return None
        async with self._store.read() as tx:
            channel = (await tx.cases.get(rollback.case_id)).channel
        return await self._eligibility.of_breaker(rollback, channel=channel)

    async def _barred_now(self, rollback: Rollback) -> str | None:
        """Why who asked may no longer ask, where their word alone is enough."""
        execution = rollback.execution
        if execution.step not in _NOT_PUBLISHED or execution.backwards:
            return None
        if not quorum.reached(rollback, ()) or rollback.broken_by is not None:
            return None
        return await self._eligibility.of_asker(rollback)

    async def _stop_if_lapsed(
        self, rollback: Rollback, not_eligible: Mapping[str, str], why: Mapping[str, Json]
    ) -> Rollback:
        """Turn a rollback around that is no longer approved, where its leg was not published."""
        if rollback.execution.step not in _NOT_PUBLISHED or rollback.execution.backwards:
            return rollback
        counting = [v for v in quorum.approvals(rollback) if v.person not in not_eligible]
        carried = rollback.broken_by is not None or quorum.reached(rollback, counting)
        if carried and not any(why.values()):
            return rollback
        facts: dict[str, Json] = {**why, "not_eligible": dict(not_eligible)}
        progress = Progress(rollback, store=self._store, settle=self._settle)
        execution = rollback.execution
        if execution.step is Step.CLAIMED and execution.kept_draft_id is None:
            # nothing was written yet
            await progress.end(Ending(State.FAILED, OutcomeCode.APPROVAL_LAPSED, facts))
        else:
            failure = OutcomeCode.APPROVAL_LAPSED
            await progress.commit(step=Step.UNDOING, failure=failure, failure_facts=facts)
        return progress.rollback

    def _system(self, rollback: Rollback) -> str:
        try:
            return self._targets.of(rollback.current.where)[0].name
        except UnknownApp:  # it is no longer configured
            return str(rollback.current.where)

    def _frozen_until(self, rollback: Rollback, now: datetime) -> datetime | None:
        """Until when one of its apps is not to be changed, if that holds at *now*."""
        ends = [self._frozen(leg.where, now) for leg in rollback.legs]
        return max((until for until in ends if until is not None), default=None)


def _way(contents: Contents) -> type[Stepping]:
    return WriteConfig if contents.to.kind is VersionKind.MODEL_CONFIG else CarryOut


def _place(execution: Execution) -> tuple[Step, int, bool]:
    return execution.step, execution.position, execution.backwards


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


def _entry(rollback: Rollback, action: str, **what: object) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action=action,
        resource=f"rollback/{rollback.id}",
        status="ok",
        what={"app": ", ".join(str(leg.where) for leg in rollback.legs), **what},
        ip_note="Keyturn itself",
    )
