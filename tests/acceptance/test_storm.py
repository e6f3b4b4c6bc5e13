"""What Alertmanager really does in a storm, seen by people: one thread for one app, one rollback.

Each test is named after what was observed on Alertmanager 0.25.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

from bot.playground.slack import people
from bot.playground.story.alerts import Alert
from bot.playground.story.workflow import APP
from store.records import Firing, Rollback
from tests.acceptance.alertmanager_world import Binaries, alerting, post_alerts
from tests.acceptance.impatient import cards, said
from tests.acceptance.test_slack_down import told
from tests.acceptance.world import LIMIT_S, LOOPBACK, WHERE, World

STORM = 12


def an_alert(world: World, name: str = "HighErrorRate", *, later: int = 0, **labels: str) -> Alert:
    at = world.dify.state.clock() + timedelta(seconds=later)
    return Alert(APP, WHERE.env, starts_at=at, name=name, labels=labels)


async def all_taken(world: World, *bodies: dict[str, object]) -> None:
    """Post them at once, as several Alertmanagers do, and wait until everything was told."""
    statuses = await asyncio.gather(*(world.post(body) for body in bodies))
    assert set(statuses) == {202}
    await world.until(lambda: told(world))


async def of_the_case(world: World) -> list[Firing]:
    async with world.store.read() as tx:
        (case,) = await tx.cases.open_cases()
        return await tx.alerts.of_case(case.id)


async def rollbacks(world: World) -> list[Rollback]:
    async with world.store.read() as tx:
        return await tx.rollbacks.newest()


def replies(world: World, words: str) -> int:
    """How many messages below the card say *words*."""
    below = world.slack.state.thread(people.INCIDENTS, cards(world)[-1].ts)
    return sum(words in said(message) for message in below)


def begun_again(alert: Alert, at: datetime) -> Alert:
    return Alert(alert.app, alert.env, starts_at=at, name=alert.name, labels=alert.labels)


async def test_whatever_arrives_there_is_one_thread_and_one_open_rollback(world: World) -> None:
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()
        first = world.alert
        assert first is not None
        ended = world.dify.state.clock()

        # a repeat, byte for byte, and the same from the other Alertmanager of a pair
        await all_taken(world, *([first.body()] * 4))
        # related alerts of the same app, all at once
        await all_taken(
            world, *(an_alert(world, "Latency", instance=f"i{n}").body() for n in range(STORM))
        )
        # resolved, twice and late; then it flaps: the same fingerprint with a new start each time
        await all_taken(world, *([first.body(ended_at=ended)] * 2))
        flapping = [begun_again(first, ended + timedelta(seconds=n)) for n in range(1, 4)]
        for one in flapping:
            await all_taken(world, one.body())
            await all_taken(world, one.body(ended_at=ended + timedelta(seconds=9)))
        # Alertmanager was restarted: what was over is told again, firing first
        await all_taken(world, first.body(), first.body(ended_at=ended))

        firings = await of_the_case(world)
        opened = await rollbacks(world)

    assert [message.ts for message in cards(world)] == [card.ts]
    assert [one.open for one in opened] == [True]
    named = [firing.alertname for firing in firings]
    assert (named.count("Latency"), named.count("HighErrorRate")) == (STORM, 1 + len(flapping))
    assert not any(f.status == "firing" for f in firings if f.alertname == "HighErrorRate")
    assert replies(world, "Latency") == 1, "a storm of one alert is one sentence"
    assert not world.slack.state.problems


async def test_prometheus_was_restarted_so_it_resolves_and_fires_with_another_start(
    world: World,
) -> None:
    """Nothing recovered: it is the same case, and its rollback stays open."""
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()
        first = world.alert
        assert first is not None

        at = world.dify.state.clock()
        await all_taken(world, first.body(ended_at=at))
        await all_taken(world, begun_again(first, at + timedelta(seconds=5)).body())

        opened = await rollbacks(world)

    assert [message.ts for message in cards(world)] == [card.ts]
    assert [one.open for one in opened] == [True]
    assert replies(world, "no longer fires") == 1


async def test_what_alertmanager_cuts_off_is_fetched_from_it(world: World) -> None:
    """`max_alerts` keeps two of a group; its case has all of them."""
    binaries = Binaries.found()
    async with asyncio.timeout(2 * LIMIT_S), world.here() as service:
        await world.read_history()
        world.break_it()
        webhook = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        async with alerting(
            binaries, world.folder, webhook=webhook, token=token, most=2
        ) as address:
            with world.config.open("a") as config:
                config.write(f'[alertmanager]\nurl = "http://{address}"\n')
            assert await service.reload()
            several = [an_alert(world, instance=f"i{n}").all_labels for n in range(6)]
            await post_alerts(address, several)

            await world.until(partial(_has, world, len(several)))
            await world.until(lambda: told(world))

    assert len(cards(world)) == 1


async def _has(world: World, many: int) -> bool:
    async with world.store.read() as tx:
        found = await tx.cases.open_cases()
        return bool(found) and len(await tx.alerts.of_case(found[0].id)) == many
