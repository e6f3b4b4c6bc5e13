"""A real alert, from a real metric through Prometheus and Alertmanager to the verified rollback."""

from __future__ import annotations

import asyncio
import re

from bot.playground.slack import people
from bot.playground.slack.things import Message
from store.records import Rollback, State
from tests.acceptance.alertmanager_world import ALERT, Binaries, monitoring
from tests.acceptance.world import LOOPBACK, VOTERS, WHERE, World

WHOLE_S = 60.0


def said(message: Message) -> str:
    """Everything that *message* says."""
    return f"{message.text} {message.blocks}"


async def test_a_real_alert_leads_to_the_card_the_rollback_and_the_word_that_it_is_over(
    world: World,
) -> None:
    binaries = Binaries.found()
    async with asyncio.timeout(WHOLE_S), world.here():
        await world.read_history()
        webhook = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        async with monitoring(
            binaries, world.folder, app=WHERE.app, env=WHERE.env, webhook=webhook, token=token
        ) as watched:
            was = world.break_it()
            watched.ratio = 0.31
            card = await world.card()
            fingerprints = await world.until(watched.fingerprints)  # it sends before it lists
            shown = said(card)

            for voter in VOTERS:
                await world.approve(voter)
            ended = await world.ended()
            live = world.live.hash

            watched.ratio = 0.01
            await world.slack.state.until(lambda _: _over(world, card), within=WHOLE_S)

    _check_card(shown, fingerprints)
    assert ended.state is State.COMPLETED, ended.outcome
    assert live == was.good
    assert len(world.published_by(ended)) == 1
    await _check_record(world, ended)


def _check_card(shown: str, fingerprints: list[str]) -> None:
    versions = [f"version {number}," for number in _step(shown)]
    assert len(fingerprints) == 1, "one label set is one alert"
    assert f"`{fingerprints[0]}`" in shown
    assert f"`{ALERT}`" in shown
    assert all(version in shown for version in versions), versions
    old, new = _step(shown)
    print(f"card: v{old} → v{new}, alert {fingerprints[0]}")  # what a reader checks


def _step(shown: str) -> tuple[int, int]:
    """The two versions in the card's title."""
    found = re.search(rf"{WHERE} v(\d+) → v(\d+)", shown)
    assert found, shown[:300]
    return int(found[1]), int(found[2])


def _over(world: World, card: Message) -> bool:
    replies = world.slack.state.thread(people.INCIDENTS, card.ts)
    return any("no longer fires" in said(reply) for reply in replies)


async def _check_record(world: World, ended: Rollback) -> None:
    assert [vote.slack_id for vote in ended.votes] == list(VOTERS)
    assert (await world.audit()).ok
    assert not world.slack.state.problems
