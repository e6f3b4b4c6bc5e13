"""A story without a browser: its steps are played, and it is judged by how it should end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from bot.demo.acting import Say, act
from bot.demo.stage import WHERE, Stage
from bot.domain.words import FindingCode
from store.records import State

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LIMIT_S = 60.0
LOOK_AGAIN_S = 0.2  # what is stored after the last message was sent makes no sound


@dataclass(frozen=True)
class End:
    """How a story should end: its rollbacks' states, oldest first, and what the case's card finds.

    With `good` live is what does no harm. What an editor had not published is kept everywhere.
    """

    states: tuple[State, ...]
    good: bool
    finding: FindingCode


ENDS: Mapping[str, End] = {
    "bad-prompt": End((State.COMPLETED,), True, FindingCode.SUGGESTED),
    "two-changes": End((State.COMPLETED,), True, FindingCode.REQUESTED),
    "outage": End((), True, FindingCode.UPSTREAM),
    "rejected": End((State.REJECTED,), False, FindingCode.SUGGESTED),
    "live-changed": End((State.SUPERSEDED, State.COMPLETED), True, FindingCode.SUGGESTED),
    "dify-fails": End((State.FAILED,), False, FindingCode.SUGGESTED),
}


@dataclass(frozen=True)
class StoryReport:
    """What came of a story; `status` is "completed" only if all of it ended as it should."""

    status: str
    story: str
    transport: str
    rollbacks: list[str]
    finding: str
    live_is_good: bool
    unpublished_work_kept: bool
    broken_slack_rules: int
    audit_entries: int
    audit_head: str
    audit_verified: bool

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return asdict(self)


async def tell_story(stage: Stage, say: Say) -> StoryReport:
    """Play every step of the stage's story, as its people.

    Raises:
        TimeoutError: Something did not happen in time.
    """
    async with asyncio.timeout(LIMIT_S):
        say(stage.tale.about)
        await stage.service.take_snapshots()
        for step in stage.tale.steps:
            await act(stage, step, say)
        await _until_told(stage)
    report = await _look(stage)
    say(stage.tale.end if report.status == "completed" else "The story did not end as it should.")
    return report


async def _until_told(stage: Stage) -> None:
    """Wait until nothing is executed any more and everything about it has been told."""
    while True:
        async with stage.service.store.read() as tx:
            under_way = await tx.rollbacks.in_states([State.EXECUTING, State.VERIFYING])
            waiting = (await tx.arrivals.waiting()).ids or await tx.outbox.waiting()
        if not under_way and not waiting:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                await stage.slack.state.change()


async def _look(stage: Stage) -> StoryReport:
    """Look at Dify, at the store and at the audit chain, and report what is true."""
    scene, should = stage.scene, ENDS[stage.tale.name]
    async with stage.service.store.read() as tx:
        rollbacks = await tx.rollbacks.newest(limit=10)
        opened = await tx.cases.opened(since=_LONG_AGO)
    *_, case = [case for case in opened if case.where == WHERE]  # perhaps it is over by now
    audit = await stage.service.verify_audit()
    states = tuple(rollback.state for rollback in reversed(rollbacks))
    finding = case.finding.code if case.finding else ""
    good = scene.live is not None and scene.live.hash == scene.marks["good"]
    draft = stage.dify.state.draft(scene.app)
    kept = "draft" not in scene.marks or (draft and draft.hash) == scene.marks["draft"]
    broken = len(stage.slack.state.problems) + len(stage.slack.state.sockets.complaints)
    ended = (states, good, finding) == (should.states, should.good, should.finding)
    return StoryReport(
        status="completed" if ended and kept and audit.ok and not broken else "failed",
        story=stage.tale.name,
        transport="socket" if stage.by_socket else "http",
        rollbacks=[state.value for state in states],
        finding=str(finding),
        live_is_good=good,
        unpublished_work_kept=kept,
        broken_slack_rules=broken,
        audit_entries=audit.entries,
        audit_head=audit.head,
        audit_verified=audit.ok,
    )
