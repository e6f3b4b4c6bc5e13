"""Look for what was approved, or left by an executor that died, and carry it out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot import spans
from bot.domain import drill
from bot.domain.words import NoteCode
from bot.errors import BotError, LeaseLost, UpstreamDown, UpstreamRefused
from bot.ports.people import Directory
from bot.ports.sealing import Sealing
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.carry_out import CarryOut
from bot.services.claim import Claim, Practises, nowhere
from bot.services.contents import Contents
from bot.services.draft_seal import DraftSeal
from bot.services.lease import LEASE, Lease
from bot.services.mandate import Frozen, Mandate, never
from bot.services.outgoing import note_row
from bot.services.progress import Progress
from bot.services.settle import Settle
from bot.services.stepping import Pause, Stepping
from bot.services.take_over import GOING, TakeOver
from bot.services.write_config import WriteConfig
from store.failpoint import fp
from store.records import Json, Rollback, State, VersionKind

log = logging.getLogger(__name__)
_READY = (State.APPROVED, State.BROKEN_GLASS)


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
        frozen: Frozen = never,
        practises: Practises = nowhere,
    ) -> None:
        self._store = store
        self._targets = targets
        self._owner = owner
        self._sealing = sealing
        self._pause = pause
        self._lease = lease
        self._told: set[int] = set()  # rollbacks whose thread says that they wait for a freeze
        self._settle = Settle(store)
        self._mandate = Mandate(store, directory, frozen=frozen)
        self._claim = Claim(
            store, targets, self._mandate, owner=owner, lease=lease, practises=practises
        )
        self._take_over = TakeOver(
            store, targets, self._mandate, self._settle, owner=owner, lease=lease
        )
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
            found = await tx.rollbacks.in_states((*_READY, *GOING))
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
        until = self._mandate.frozen_until(rollback, now)
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
        taking: Callable[[Rollback], Awaitable[Rollback | None]]
        if rollback.state in _READY:
            taking = self._claim
        elif rollback.execution.lease_until is None or rollback.execution.lease_until < now:
            taking = self._take_over
        else:
            return False
        of = spans.case(rollback.case_id)
        with spans.span("execute", of=of, rollback=rollback.id, app=str(rollback.leg.where)):
            taken = await taking(rollback)
            if taken is not None and taken.state in GOING:
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
        log.info("rollback ended", extra={**facts, **drill.mark(ended)})

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


def _way(contents: Contents) -> type[Stepping]:
    return WriteConfig if contents.to.kind is VersionKind.MODEL_CONFIG else CarryOut
