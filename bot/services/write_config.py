"""Carry a claimed rollback of an app without a workflow out: one write, which is live at once.

    CLAIMED     look whether the approved content may be written
    PUBLISHING  write it
    VERIFYING   read live back and compare
    RETURNING   live is verified
    UNDOING     find out whether nothing was written after all

There is no draft to keep, and no name that tells our write from another hand's: what is live is
known by its content alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.masked import masked
from bot.domain.words import OutcomeCode
from bot.errors import LiveMoved
from bot.ports.target import NONE, TargetVersion
from bot.services.settle import Ending, unsettled
from bot.services.stepping import PATIENCE, Stepping, Steps
from store.failpoint import fp
from store.records import Json, State, Step


class WriteConfig(Stepping):
    """One execution on an app that has neither a draft nor versions."""

    _untouched = False  # True only while we know that no write of this rollback was begun
    _saves = 0

    def _steps(self) -> Steps:
        return {
            Step.CLAIMED: self._look,
            Step.PUBLISHING: self._write,
            Step.VERIFYING: self._verify,
            Step.RETURNING: self._complete,
            Step.UNDOING: self._undo,
        }

    # -- the steps ----------------------------------------------------------------------------

    async def _look(self) -> None:
        live = await self._live()
        if live.document.root != self._leg.live_root:
            await self._progress.end(Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))
            return
        names = masked(live.document, self._contents.wanted)
        if names:
            facts = {"names": list(names), "system": self._target.name}
            await self._progress.end(Ending(State.FAILED, OutcomeCode.WOULD_WRITE_MASK, facts))
            return
        await self._progress.commit(step=Step.PUBLISHING)
        self._untouched = True
        fp("configure:intended")

    async def _write(self) -> None:
        live = await self._live()
        if live.document.root == self._leg.expected_root:  # by us before a crash, or another hand
            await self._progress.published(live.external_id)
            return
        if live.document.root != self._leg.live_root:
            await self._something_else(live)
            return
        untouched = self._untouched
        try:
            async with self._lease.for_one_call() as must_hold:
                fp("configure:before_write")
                must_hold()
                self._untouched = False
                await self._target.configure(
                    self._app_id, self._contents.wanted, root=self._leg.live_root
                )
        except LiveMoved:
            self._untouched = untouched
            await self._somebody_saved()
            return
        fp("configure:after_write")
        await self._progress.published("")

    async def _verify(self) -> None:
        fp("configure:before_read_back")
        live = await self._live()
        version = await self._record(live)
        if live.document.root != self._leg.expected_root:
            facts = {"number": version.number, "at_once": True}
            await self._call_people(OutcomeCode.LIVE_DIFFERS, facts, found=version)
            return
        await self._progress.verified(live.external_id, version.id)
        fp("configure:verified")

    async def _undo(self) -> None:
        live = await self._live()
        if live.document.root == self._leg.expected_root:  # a write that we gave up on came late
            await self._progress.published(live.external_id)
        elif live.document.root == self._leg.live_root:
            await self._end_as_failed()
        else:
            await self._found_another(live)

    # -- when it does not go on ---------------------------------------------------------------

    async def _something_else(self, live: TargetVersion) -> None:
        """Neither the approved content nor what it was to replace is live."""
        if self._untouched:
            await self._progress.end(Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))
        else:
            await self._found_another(live)

    async def _found_another(self, live: TargetVersion) -> None:
        """Something of ours may have been overwritten, or was never written: nobody can tell."""
        version = await self._record(live)
        facts = {"number": version.number}
        await self._call_people(OutcomeCode.PUBLISHED_BY_OTHER, facts, found=version)

    async def _somebody_saved(self) -> None:
        """Look again: what is live now decides."""
        self._saves += 1
        if self._saves > PATIENCE:
            await self._give_back(OutcomeCode.LIVE_CHANGED)

    async def _give_up(self, code: OutcomeCode, facts: Mapping[str, Json] = NONE) -> None:
        system = self._target.name
        step = self._rollback.execution.step
        if step is Step.CLAIMED or (step is Step.PUBLISHING and self._untouched):
            await self._progress.end(Ending(State.FAILED, code, {**facts, "system": system}))
        elif step is Step.PUBLISHING:
            await self._give_back(code, facts)
        else:
            await self._progress.end(unsettled(system))
