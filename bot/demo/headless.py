"""The whole job without a browser: told step by step, with one JSON object as its last line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from bot.demo.stage import VOTERS, WHERE, Stage
from bot.domain.recovery import seconds_to_recovered
from bot.playground.slack import people
from bot.playground.slack.filling import NoSuchButton
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from bot.playground.tales.common import publish_bad
from store.records import Choice, Rollback, State

LIMIT_S = 90.0  # it takes a few seconds; others may use the machine
UNHEARD = frozenset({0, 503})  # no answer in three seconds, or it could not be stored
LOOK_AGAIN_S = 0.2  # what is stored after the last message was sent makes no sound
Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What came of it; `status` is "completed" only if all of it was seen to be true."""

    status: str
    transport: str
    app: str
    from_version: int | None
    to_version: int | None
    published_version: int | None
    alert_fingerprint: str
    approved_by: list[str]
    seconds_click_to_verified: float | None
    recovery: str
    seconds_verified_to_recovered: float | None
    live_is_good: bool
    unpublished_work_kept: bool
    broken_slack_rules: int
    audit_entries: int
    audit_head: str
    audit_verified: bool

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return asdict(self)


async def tell(stage: Stage, say: Say) -> Report:
    """Play the story on *stage*: bad publish, alert, card, two clicks, rollback, recovery.

    Raises:
        TimeoutError: Something did not happen within ninety seconds.
    """
    async with asyncio.timeout(LIMIT_S):
        good = await _read_history(stage, say)
        unpublished = await _break_it(stage, say)
        fingerprint = await _fire(stage, say)
        await _turn_both_keys(stage, say)
        rollback = await _until_recovered(stage, await until_ended(stage), say)
    return await _look(stage, say, rollback, fingerprint, good=good, unpublished=unpublished)


async def _read_history(stage: Stage, say: Say) -> str:
    """Let the first snapshot be taken; return the hash of the graph that is live and good."""
    if stage.by_socket:
        say("Slack sends by Socket Mode: Keyturn has opened a connection and needs no address")
    await stage.service.take_snapshots()
    async with stage.service.store.read() as tx:
        newest = await tx.versions.newest(WHERE)
    live = stage.dify.state.live(WHERE.app)
    if newest is None or live is None:
        raise RuntimeError(f"the first snapshot of {WHERE} found nothing")
    say(f"a Dify {stage.dify.state.version} runs on this machine")
    say(f"Keyturn has read {WHERE}: version {newest.number} is live, published by {newest.author}")
    return live.hash


async def _break_it(stage: Stage, say: Say) -> str:
    """Publish the bad version; return the hash of the draft that an editor then works on."""
    await publish_bad(stage.scene)
    say("somebody publishes a change of model, prompt and code; an editor goes on in the draft")
    return stage.scene.marks["draft"]


async def _fire(stage: Stage, say: Say) -> str:
    alert = await stage.scene.fire()
    say(f"alert {alert.name} fires, fingerprint {alert.fingerprint}")
    return alert.fingerprint


async def _turn_both_keys(stage: Stage, say: Say) -> None:
    card = (await stage.slack.state.until(_votable))[0]
    say(f"a card stands in #incidents: {card.text.partition('. ')[0]}")
    for voter in VOTERS:
        await _approve(stage, voter, card.ts, say)


async def _approve(stage: Stage, voter: str, ts: str, say: Say) -> None:
    """Press Approve, and again as long as Slack shows that it could not be taken."""
    name, driver = stage.slack.state.users[voter].name, stage.slack.driver
    answer = await driver.click(voter, ts, "approve")
    say(f"{name} presses Approve" + ("" if answer.ok else f": HTTP {answer.status}"))
    while answer.status in UNHEARD:
        await asyncio.sleep(LOOK_AGAIN_S)
        try:
            answer = await driver.click(voter, ts, "approve")
        except NoSuchButton:  # the press before had arrived, and was the last one needed
            return
        say(f"{name} presses Approve again")


def _votable(slack: SlackState) -> list[Message]:
    """The messages in the channel that have an Approve button."""
    return [
        message
        for message in slack.messages(people.INCIDENTS)
        if any(
            element.get("action_id") == "rollback.approve"
            for block in message.blocks
            for element in block.get("elements", ())
        )
    ]


async def until_ended(stage: Stage) -> Rollback:
    """Wait until the rollback has ended and everything about it has been told."""
    while True:
        async with stage.service.store.read() as tx:
            newest = await tx.rollbacks.newest(limit=1)
            waiting = await tx.outbox.waiting()
        if newest and not newest[0].open and not waiting:
            return newest[0]
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                await stage.slack.state.change()


async def _until_recovered(stage: Stage, ended: Rollback, say: Say) -> Rollback:
    """Let the alert end, and wait until Keyturn has seen and told what that means."""
    if ended.state is not State.COMPLETED:
        return ended
    await stage.scene.resolve()
    say("the alert is resolved")
    while True:
        await stage.service.see_recovery()
        rollback = await until_ended(stage)
        if not rollback.watched:
            break
        await asyncio.sleep(LOOK_AGAIN_S)  # it ended in this very moment
    return rollback


async def _look(
    stage: Stage, say: Say, rollback: Rollback, fingerprint: str, *, good: str, unpublished: str
) -> Report:
    """Look at Dify, at the store and at the audit chain, and report what is true."""
    live, draft = stage.dify.state.live(WHERE.app), stage.dify.state.draft(WHERE.app)
    live_is_good = live is not None and live.hash == good
    kept = draft is not None and draft.hash == unpublished
    audit = await stage.service.verify_audit()
    numbers = await _numbers(stage, rollback)
    broken = len(stage.slack.state.problems) + len(stage.slack.state.sockets.complaints)
    done = rollback.state is State.COMPLETED and live_is_good and kept and audit.ok and not broken
    say(f"rollback {rollback.id} ended as {rollback.state}")
    say(f"whether it helped: {_recovery(rollback)}")
    say(f"Dify's live version is {'the good one again' if live_is_good else 'NOT the good one'}")
    say(f"the editor's draft is {'as it was' if kept else 'NOT as it was'}")
    say(f"the audit chain of {audit.entries} entries {'verifies' if audit.ok else 'is BROKEN'}")
    return Report(
        status="completed" if done else "failed",
        transport="socket" if stage.by_socket else "http",
        app=str(WHERE),
        from_version=numbers[0],
        to_version=numbers[1],
        published_version=numbers[2],
        alert_fingerprint=fingerprint,
        approved_by=[
            v.slack_id for v in rollback.votes if v.choice is Choice.APPROVE and not v.voided_at
        ],
        seconds_click_to_verified=_seconds(rollback),
        recovery=_recovery(rollback),
        seconds_verified_to_recovered=seconds_to_recovered(rollback),
        live_is_good=live_is_good,
        unpublished_work_kept=kept,
        broken_slack_rules=broken,
        audit_entries=audit.entries,
        audit_head=audit.head,
        audit_verified=audit.ok,
    )


async def _numbers(stage: Stage, rollback: Rollback) -> tuple[int | None, int | None, int | None]:
    """Numbers of the version that was live, the one gone back to, and the one published for it."""
    leg, published = rollback.leg, rollback.execution.published_version_id
    async with stage.service.store.read() as tx:
        was = await tx.versions.get(leg.from_version_id)
        to = await tx.versions.get(leg.to_version_id)
        new = await tx.versions.get(published) if published is not None else None
    return was.number, to.number, new.number if new else None


def _recovery(rollback: Rollback) -> str:
    return rollback.recovery.state.value if rollback.recovery else ""


def _seconds(rollback: Rollback) -> float | None:
    clicked, verified = rollback.execution.clicked_at, rollback.execution.verified_at
    if clicked is None or verified is None:
        return None
    return round((verified - clicked).total_seconds(), 3)
