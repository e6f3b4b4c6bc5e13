"""Alerts of a real Prometheus about metrics that it has: what was measured decides the card."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.verdict import recovered
from bot.domain.words import FindingCode
from bot.playground.slack import people
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import File, Message
from bot.playground.story import seed
from bot.playground.story.workflow import APP, Edition, graph
from store.records import Finding, State
from tests.acceptance.alertmanager_world import Binaries, alerting
from tests.acceptance.measured_world import (
    ERRORS,
    LATENCY,
    PAST,
    QUERIES,
    Traffic,
    Users,
    measuring,
)
from tests.acceptance.world import LOOPBACK, WHERE, World, with_button

WHOLE_S = 120.0
OVER_S = 120.0  # with half a minute of the queries' window, and three samples of a quarter


async def test_the_version_before_a_publish_that_made_errors_jump_is_suggested_on_what_was_measured(
    world: World,
) -> None:
    now = datetime.now(UTC)
    seed.publish_bad(world.dify.state, at=now - timedelta(seconds=110))
    users = a_day_like_any_other(now)
    users.pieces.append(Traffic(now - timedelta(seconds=90), failing=0.31))

    async with asyncio.timeout(WHOLE_S), measured(world, users):
        card = await world.card()
        thread = await told_below(world, card)
        finding = await finding_of(world)

    assert (finding.code, finding.facts["measured"]) == (FindingCode.SUGGESTED, True)
    assert (finding.facts["suspect"], finding.facts["candidate"]) == (7, 6)
    assert "v7 → v6" in said(card)
    assert ERRORS in said(card)
    assert "The share of errors rose from 1.0 % to 31 %" in said(card)
    evidence = evidence_in(thread)
    assert "The share of errors rose from 1.0 % to 31 %" in evidence
    assert "this rests on times alone" not in evidence
    (chart,) = charts(thread)
    assert "errors usually 1 %, now 31 %" in chart.alt_text
    assert not world.slack.state.problems


async def test_load_that_made_answers_slow_is_named_and_an_innocent_publish_stays(
    world: World,
) -> None:
    now = datetime.now(UTC)
    innocent = graph(replace(Edition(), top_k=8))
    world.dify.state.publish_directly(
        APP, graph=innocent, by="alice", at=now - timedelta(minutes=20)
    )
    users = a_day_like_any_other(now)
    users.pieces.append(Traffic(now - timedelta(seconds=120), rate=60.0, takes=3.0))

    async with asyncio.timeout(WHOLE_S), measured(world, users):
        card = await one_that_says(world, "The load grew")
        finding = await finding_of(world)

    assert finding.code == FindingCode.LOAD
    assert LATENCY in said(card)
    assert "The load grew 3.0-fold" in said(card)
    assert "I suggest no rollback" in said(card)
    assert with_button(world.slack.state) == []
    assert not world.slack.state.problems


async def test_without_prometheus_the_card_comes_by_times_alone_and_says_so(world: World) -> None:
    now = datetime.now(UTC)
    seed.publish_bad(world.dify.state, at=now - timedelta(seconds=110))
    users = a_day_like_any_other(now)
    users.pieces.append(Traffic(now - timedelta(seconds=90), failing=0.31))

    nobody = f"{LOOPBACK}:9"  # the discard port
    async with asyncio.timeout(WHOLE_S), measured(world, users, asked=nobody):
        card = await world.card()
        thread = await told_below(world, card)
        finding = await finding_of(world)

    assert (finding.code, finding.facts["measured"]) == (FindingCode.SUGGESTED, False)
    assert "v7 → v6" in said(card)
    assert "by times alone" in said(card)
    assert "Prometheus did not answer in time, so this rests on times alone." in evidence_in(thread)
    assert charts(thread) == []


async def test_a_suggestion_goes_once_the_alert_has_ended_and_what_is_measured_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovered, "HELD_S", 20.0)  # two minutes as a rule
    world.edit(votes="votes = 2\nwithdraw_recovered = true")
    now = datetime.now(UTC)
    seed.publish_bad(world.dify.state, at=now - timedelta(seconds=110))
    users = a_day_like_any_other(now)
    users.pieces.append(Traffic(now - timedelta(seconds=90), failing=0.31))

    async with asyncio.timeout(OVER_S), measured(world, users):
        card = await world.card()
        users.pieces.append(Traffic(datetime.now(UTC)))  # whoever sent what failed has stopped

        async def gone() -> bool:
            async with world.store.read() as tx:
                (rollback,) = await tx.rollbacks.newest()
            return rollback.state is State.WITHDRAWN

        await world.until(gone, within=OVER_S)
        thread = await told_below(world, card)

    assert any("no longer fires" in reply.text for reply in thread)
    assert "the metrics are back at their usual" in thread[-1].text
    assert with_button(world.slack.state) == []
    assert not world.slack.state.problems


# -- the world ----------------------------------------------------------------------------------


def a_day_like_any_other(now: datetime) -> Users:
    return Users([Traffic(now - PAST)])


@asynccontextmanager
async def measured(world: World, users: Users, *, asked: str = "") -> AsyncIterator[None]:
    """Run it all: *users* are measured, and the service asks *asked* instead of the Prometheus.

    Alerts are sent when the service has read what was published before.
    """
    binaries = Binaries.found()
    async with AsyncExitStack() as closing:
        prometheus = await closing.enter_async_context(measuring(binaries, world.folder, users))
        asks(world, asked or prometheus.address)
        await closing.enter_async_context(world.here())
        await world.read_history()
        webhook = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        prometheus.tells(
            await closing.enter_async_context(
                alerting(binaries, world.folder, webhook=webhook, token=token)
            )
        )
        yield


def asks(world: World, prometheus: str) -> None:
    """Let the service ask *prometheus*, host:port."""
    queries = "".join(f"{name} = {json.dumps(query)}\n" for name, query in QUERIES.items())
    table = f'[prometheus]\nurl = "http://{prometheus}"\nstep = "15s"\n{queries}'
    world.config.write_text(world.config.read_text(encoding="utf-8") + table, encoding="utf-8")


# -- what came of it ----------------------------------------------------------------------------


async def one_that_says(world: World, words: str) -> Message:
    """Wait for the card that says *words*."""

    def found(slack: SlackState) -> Message | None:
        cards = slack.messages(people.INCIDENTS)
        return next((card for card in cards if words in said(card)), None)

    card = await world.slack.state.until(found, within=WHOLE_S)
    assert card is not None
    return card


async def told_below(world: World, card: Message) -> list[Message]:
    """Wait until everything is sent; return the replies to *card*."""

    async def sent() -> bool:
        async with world.store.read() as tx:
            return await tx.outbox.waiting() == 0

    await world.until(sent)
    return world.slack.state.thread(people.INCIDENTS, card.ts)


async def finding_of(world: World) -> Finding:
    """What the case says, of which there is one."""
    async with world.store.read() as tx:
        (case,) = await tx.cases.open_cases()
    assert case.where == WHERE
    assert case.finding is not None
    return case.finding


def said(message: Message) -> str:
    """Everything that *message* says."""
    return f"{message.text} {message.blocks}"


def evidence_in(thread: list[Message]) -> str:
    (found,) = [reply.text for reply in thread if "What this rests on" in reply.text]
    return found


def charts(thread: list[Message]) -> list[File]:
    """The pictures of measurements; those of a difference are named otherwise."""
    files = [file for reply in thread for file in reply.files]
    return [file for file in files if file.is_png and file.alt_text.startswith("Chart of")]
