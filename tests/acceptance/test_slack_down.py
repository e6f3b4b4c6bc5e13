"""Slack down or busy while alerts arrive: every alert is kept, and every case has one card."""

from __future__ import annotations

import asyncio

from bot.playground.slack import people
from bot.playground.slack.state import SlackState
from bot.playground.story.alerts import Alert
from store.records import Firing
from tests.acceptance.impatient import cards, impatient, said, thread
from tests.acceptance.world import LIMIT_S, WHERE, World

STORM = 50
POST = "chat.postMessage"


def failed(slack: SlackState) -> int:
    """How many calls have failed so far."""
    return sum(call.outcome in {"drop", "error", "throttle"} for call in slack.calls)


async def told(world: World) -> bool:
    """Nothing is due and nothing waits to be sent."""
    async with world.store.read() as tx:
        unfiled = (await tx.arrivals.waiting()).ids
        unassigned = await tx.alerts.unassigned([WHERE])
        changed = await tx.alerts.changed()
        return not (unfiled or unassigned or changed or await tx.outbox.waiting())


async def firings(world: World) -> list[Firing]:
    """The alerts of the one open case."""
    async with world.store.read() as tx:
        (case,) = await tx.cases.open_cases()
        return await tx.alerts.of_case(case.id)


async def test_an_alert_that_comes_while_slack_is_down_is_taken_and_its_card_comes_later_once(
    world: World,
) -> None:
    slack = world.slack.state
    async with impatient(world):
        await world.read_history()
        world.break_it()
        before = failed(slack)
        slack.faults.down = True

        alert = await world.fire()  # checks that the answer is 202
        await slack.until(lambda s: failed(s) >= before + 3, within=LIMIT_S)
        assert not cards(world)
        slack.faults.down = False
        card = await world.card()
        await world.until(lambda: told(world))

    assert [message.ts for message in cards(world)] == [card.ts]
    assert alert.fingerprint in said(card)
    assert not slack.problems


async def test_a_restart_while_slack_is_down_loses_no_card_and_makes_no_second(
    world: World,
) -> None:
    slack = world.slack.state
    async with impatient(world):
        await world.read_history()
        world.break_it()
        slack.faults.order("error", POST, times=None)
        await world.fire()
        await slack.until(lambda s: s.count(POST) >= 1, within=LIMIT_S)
    slack.faults.down = True
    async with impatient(world):
        assert await world.post(_again(world)) == 202, "a repeat is taken, too"
        slack.faults.clear()
        await world.card()
        await world.until(lambda: told(world))

    assert len(cards(world)) == 1
    assert len(await firings(world)) == 1


def _again(world: World) -> dict[str, object]:
    assert world.alert is not None
    return world.alert.body()


async def test_no_call_is_made_while_slack_asks_to_wait(world: World) -> None:
    slack, wait_s = world.slack.state, 2
    other = _another_app(world)
    async with impatient(world):
        await world.read_history()
        world.break_it()
        slack.faults.order("throttle", POST, retry_after_s=wait_s)
        await world.fire()
        alert = Alert(other, WHERE.env, starts_at=world.dify.state.clock())
        assert await world.post(alert.body()) == 202
        await slack.until(lambda _: len(cards(world)) == 2, within=LIMIT_S)

    asked, *later = [call for call in slack.calls if call.method == POST]
    assert asked.status == 429
    assert min(call.at for call in later) >= asked.at + wait_s
    assert {call.status for call in later} == {200}


def _another_app(world: World) -> str:
    """Let there be a second app, whose case has its card in the same channel."""
    app = world.dify.state.create_app("kb-search")
    world.dify.state.publish_directly(app.id, graph=world.live.graph)
    table = f'environments.prod = {{ target = "dify.local", id = "{app.id}" }}'
    with world.config.open("a") as config:
        config.write(f"[app.{app.name}]\n{table}\n")
    return app.name


async def test_a_storm_of_one_app_is_one_card_and_one_thread(world: World) -> None:
    async with impatient(world):
        await world.read_history()
        world.break_it()
        now = world.dify.state.clock()
        storm = [
            Alert(WHERE.app, WHERE.env, now, labels={"instance": f"pod-{n}"}) for n in range(STORM)
        ]
        answers = await asyncio.gather(*(world.post(one.body()) for one in storm))
        await world.card()
        await world.until(lambda: told(world))
        taken = await firings(world)
        ended = world.dify.state.clock()
        await asyncio.gather(*(world.post(one.body(ended_at=ended)) for one in storm))
        await world.slack.state.until(lambda _: "no longer fires" in thread(world), within=LIMIT_S)
        await world.until(lambda: told(world))

    assert set(answers) == {202}
    assert {firing.fingerprint for firing in taken} == {one.fingerprint for one in storm}
    assert len(cards(world)) == 1
    assert _sentences(world, "fires too") == 0, "the card says that this alert fires"
    assert _sentences(world, "no longer fires") == 1
    assert not world.slack.state.problems


def _sentences(world: World, words: str) -> int:
    (card,) = cards(world)
    replies = world.slack.state.thread(people.INCIDENTS, card.ts)
    return sum(words in reply.text for reply in replies)
