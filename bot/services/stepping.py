"""Go from committed step to committed step, each of which reads before it acts.

A step is committed before the call that it names is made. Because every step begins by reading
the target, going on after a crash is the same code as going on after a call.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from bot import spans
from bot.domain.words import OutcomeCode
from bot.errors import (
    AccountLocked,
    Ambiguous,
    AnswerUnreadable,
    LeaseLost,
    LoginRefused,
    NoSuchVersion,
    UpstreamDown,
    UpstreamRefused,
    WouldWriteMask,
)
from bot.ports.store import Store
from bot.ports.target import NONE, Target, TargetVersion
from bot.services.contents import Contents
from bot.services.draft_seal import DraftSeal
from bot.services.lease import Lease
from bot.services.progress import Progress
from bot.services.recording import catch_up, record
from bot.services.settle import Ending
from store.records import Json, Leg, Rollback, Stale, State, Step, Version

log = logging.getLogger(__name__)
PATIENCE = 8  # how often one step is tried again before the rollback is given up

Pause = Callable[[int], Awaitable[None]]
Steps = Mapping[Step, Callable[[], Awaitable[None]]]


class Stepping(ABC):
    """One execution by the process that holds its lease; what its steps do is not said here."""

    _tried = Step.NONE
    _tries = 0

    def __init__(
        self,
        progress: Progress,
        *,
        store: Store,
        target: Target,
        app_id: str,
        contents: Contents,
        seal: DraftSeal,
        lease: Lease,
        pause: Pause,
    ) -> None:
        self._progress = progress
        self._store = store
        self._target = target
        self._app_id = app_id
        self._contents = contents
        self._seal = seal
        self._lease = lease
        self._pause = pause

    async def __call__(self) -> Rollback:
        """Go on from the committed step until this leg is over; return the rollback as it is then.

        With the last leg the rollback has ended; else it is at the next one, or on its way back.

        Raises:
            LeaseLost: Another process has taken over; nothing more was written.
        """
        steps, leg = self._steps(), self._at()
        while self._rollback.open and self._at() == leg:
            step = self._rollback.execution.step
            if step is not self._tried:
                self._tried, self._tries = step, 0
            try:
                with spans.span(f"execute.{step.lower()}", step=step, tries=self._tries):
                    await steps[step]()
            except Stale as error:
                raise LeaseLost(f"rollback {self._rollback.id} moved on without us") from error
            except (UpstreamDown, AnswerUnreadable) as error:
                await self._try_again(error)  # Ambiguous too: the step reads before it acts again
            except UpstreamRefused as error:
                await self._refused(error)
        return self._rollback

    @abstractmethod
    def _steps(self) -> Steps:
        """What is done at each step that can be committed."""

    @abstractmethod
    async def _give_up(self, code: OutcomeCode, facts: Mapping[str, Json] = NONE) -> None:
        """End in the state that is true at this step: undone, failed, or a person must look."""

    # -- when it does not go on ---------------------------------------------------------------

    async def _try_again(self, error: UpstreamDown | AnswerUnreadable) -> None:
        self._tries += 1
        facts = {"error": error.code, "tries": self._tries, "why": str(error)}
        facts["may_have_been_applied"] = isinstance(error, Ambiguous)
        log.warning("step of a rollback did not get through", extra={**self._named(), **facts})
        if self._tries > PATIENCE:
            await self._give_up(OutcomeCode.TARGET_DOWN)
            return
        if self._tries == 1:
            await self._progress.say_waiting(error)
        await self._pause(self._tries)

    async def _refused(self, error: UpstreamRefused) -> None:
        log.error("step of a rollback was refused", extra={**self._named(), "why": str(error)})
        await self._give_up(_refusal(error), {"upstream_code": error.upstream_code})

    async def _give_back(self, code: OutcomeCode, facts: Mapping[str, Json] = NONE) -> None:
        """Nothing will be published: undo what was begun, then end as *code* says."""
        await self._progress.commit(step=Step.UNDOING, failure=code, failure_facts=dict(facts))

    async def _end_as_failed(self) -> None:
        """Nothing was published, and nothing of ours is left: end as was said when it failed."""
        execution = self._rollback.execution
        facts = {**execution.failure_facts, "system": self._target.name}
        superseded = execution.failure == OutcomeCode.LIVE_CHANGED
        state = State.SUPERSEDED if superseded else State.FAILED
        await self._progress.end(Ending(state, OutcomeCode(execution.failure), facts))

    async def _complete(self) -> None:
        await self._progress.complete(self._contents)

    async def _call_people(
        self, code: OutcomeCode, facts: Mapping[str, Json], *, found: Version | None = None
    ) -> None:
        await self._progress.end(Ending(State.NEEDS_ATTENTION, code, facts, found=found))

    # -- what stands where --------------------------------------------------------------------

    @property
    def _rollback(self) -> Rollback:
        return self._progress.rollback

    @property
    def _leg(self) -> Leg:
        return self._rollback.current

    def _at(self) -> tuple[int, bool]:
        execution = self._rollback.execution
        return execution.position, execution.backwards

    def _named(self) -> dict[str, object]:
        return {"rollback": self._rollback.id, "step": self._rollback.execution.step}

    async def _live(self) -> TargetVersion:
        live = await self._target.live(self._app_id)
        if live is None:
            raise UpstreamRefused(self._target.name, "the app has no published version")
        return live

    async def _record(self, live: TargetVersion) -> Version:
        """Record what is live, and what somebody published in between below it."""
        await catch_up(self._store, self._leg.where, self._target, self._app_id)
        return await record(self._store, self._leg.where, live)


def _refusal(error: UpstreamRefused) -> OutcomeCode:
    match error:
        case NoSuchVersion():
            return OutcomeCode.VERSION_GONE
        case WouldWriteMask():
            return OutcomeCode.WOULD_WRITE_MASK
        case LoginRefused() | AccountLocked():
            return OutcomeCode.LOGIN_REFUSED
        case _:
            return OutcomeCode.TARGET_REFUSED
