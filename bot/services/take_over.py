"""Take over what a dead executor has left: the step that it committed stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.words import OutcomeCode
from bot.errors import UnknownApp
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.mandate import Mandate, Standing
from bot.services.outgoing import by_keyturn
from bot.services.progress import Progress
from bot.services.settle import Ending, Settle, unsettled
from bot.services.stepping import PATIENCE
from store.records import Execution, Json, Rollback, State, Step

GOING = (State.EXECUTING, State.VERIFYING)
_NOT_PUBLISHED = (Step.CLAIMED, Step.STAGING, Step.PUBLISHING)  # but see UNDOING: it looks again


class TakeOver:
    """Takes leases that were let run out, for one executor, *owner*."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        mandate: Mandate,
        settle: Settle,
        *,
        owner: str,
        lease: timedelta,
    ) -> None:
        self._store = store
        self._targets = targets
        self._mandate = mandate
        self._settle = settle
        self._owner = owner
        self._lease = lease

    async def __call__(self, rollback: Rollback) -> Rollback | None:
        """Take the lease of *rollback*; None if somebody else has it, or has gone on with it.

        Before anything was published the approval is asked for afresh, as at the claim: hours
        may have passed. Afterwards only what is there is verified, whoever has left.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say; nothing was taken.
        """
        asked = _may_stop(rollback)
        standing = await self._mandate.of(rollback) if asked else Standing()
        async with self._store.write() as tx:
            current = await tx.rollbacks.get(rollback.id, lock=True)
            now = await tx.now()
            until = current.execution.lease_until
            moved_on = _place(current.execution) != _place(rollback.execution)
            held = until is not None and until >= now
            if current.state not in GOING or held or moved_on or await tx.pause.current():
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
                entry=by_keyturn(current, "rollback.take_over", step=current.execution.step),
            )
        if taken.execution.attempt > PATIENCE:  # it dies each time: a person has to look
            return await self._settle(taken, unsettled(self._system(taken)))
        lapsed: dict[str, Json] = {
            "expired": now >= taken.expires_at,
            **({"frozen": True} if self._mandate.held(taken, now) else {}),
        }
        if not asked or (standing.carries(taken) and not any(lapsed.values())):
            return taken
        return await self._stop(taken, {**lapsed, **standing.why})

    async def _stop(self, rollback: Rollback, facts: Mapping[str, Json]) -> Rollback:
        """Turn a rollback around that is no longer approved, where its leg was not published."""
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


def _may_stop(rollback: Rollback) -> bool:
    """Whether its leg is on its way there and not published: it can still be turned around."""
    execution = rollback.execution
    return execution.step in _NOT_PUBLISHED and not execution.backwards


def _place(execution: Execution) -> tuple[Step, int, bool]:
    return execution.step, execution.position, execution.backwards
