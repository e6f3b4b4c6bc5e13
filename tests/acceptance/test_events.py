"""What other systems are told of a rollback, by the real service, also when it is killed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from store.records import State
from tests.acceptance.test_commands import ask
from tests.acceptance.test_metrics import TOKEN, scraped
from tests.acceptance.world import LIMIT_S, LOOPBACK, WHERE, World
from tests.adapters.eventhook.test_webhook import documented
from tests.contract.store.raw import run
from tests.unit.domain.test_cloudevent import CHECK

SECRET = "a-secret-of-the-tests"
SINKS = """
[events.hook]
kind = "webhook"
url = "{url}"
secret_env = "HOOK_SECRET"
from = "start"  # the first version may be read before the service knows its sinks
[events.lake]
kind = "file"
path = "events.jsonl"
from = "start"
[events.drift]
kind = "file"
path = "drift.jsonl"
types = ["drift.noticed"]
"""
WAY = [
    "rollback.draft",
    "rollback.pending_approval",
    "rollback.voted",
    "rollback.approved",
    "rollback.executing",
    "rollback.verifying",
    "rollback.completed",
]


@dataclass
class Receiver:
    """Verifies what it gets, and answers by `status`."""

    url: str = ""
    status: int = 204
    got: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.method == "POST" and self.status < 300:
            headers = {name.lower(): value for name, value in request.headers.items()}
            assert documented()(SECRET.encode(), headers, body)
            self.got.append(json.loads(body))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver(world: World) -> AsyncIterator[Receiver]:
    """The other system; the world's service is told of it."""
    found = Receiver()
    application = web.Application()
    application.router.add_route("*", "/events", found.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    found.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}/events"
    world.secrets["HOOK_SECRET"] = SECRET
    world.config.write_text(world.config.read_text() + SINKS.format(url=found.url))
    try:
        yield found
    finally:
        await runner.cleanup()


def in_file(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("dev.keyturn.") for one in events]


def once(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what came before."""
    return list({one["id"]: one for one in events}.values())


async def told(world: World) -> list[str]:
    """The ids of all events that there are, once every sink has got its own."""

    async def all_sent() -> list[str] | None:
        async with world.store.read() as tx:
            states = await tx.sinks.states(seen_within=timedelta(hours=1))
            events = await tx.announcements.after(0, limit=1000)
        return [e.id for e in events] if not any(one.waiting for one in states) else None

    return await world.until(all_sent)


async def _without_leases(world: World) -> None:
    """As when the lease of the one that was killed is over."""
    await run(world.database_url, "UPDATE sink_cursor SET lease_until = NULL")


async def _is_told(path: Path, kind: str) -> bool:
    return kind in kinds(in_file(path))


async def test_every_step_of_a_rollback_reaches_every_sink_in_order(
    world: World, receiver: Receiver
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here(KEYTURN_METRICS_TOKEN=TOKEN):
        await world.go()
        await world.turn_second_key()
        rollback = await world.ended()
        ids = await told(world)
        page = await scraped(world.port, TOKEN)

    assert rollback.state is State.COMPLETED
    file = in_file(world.folder / "events.jsonl")
    assert [one["id"] for one in file] == [one["id"] for one in receiver.got] == ids
    for one in file:
        CHECK.validate(one)
    assert [one["sequence"] for one in file] == [f"{n:012d}" for n in range(1, len(file) + 1)]
    way = iter(kinds(file))
    assert all(kind in way for kind in WAY)
    assert in_file(world.folder / "drift.jsonl") == []
    everything = json.dumps(file)
    assert not any(secret in everything for secret in world.secrets.values())
    assert page("keyturn_events_sent_total", sink="hook") == len(ids)
    assert page("keyturn_events_sent_total", sink="drift") == 0
    assert page("keyturn_events_waiting", sink="hook") == 0
    assert page("keyturn_events_lag_seconds", sink="hook") == 0


@pytest.mark.parametrize("role", ["hook", "lake"])
async def test_a_process_killed_between_sending_and_settling_repeats_and_loses_nothing(
    world: World, receiver: Receiver, role: str
) -> None:
    """The point is reached with the very first event that is sent."""
    other = {"hook": "lake", "lake": "hook"}[role]
    text = world.config.read_text()
    before, _, rest = text.partition(f"[events.{other}]")
    world.config.write_text(before + rest[rest.index("[events.") :])
    async with asyncio.timeout(3 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT="events:sent=kill")
        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        async with world.here():
            await world.go()
            await world.turn_second_key()
            await world.ended()
            await _without_leases(world)
            ids = await told(world)

    got = receiver.got if role == "hook" else in_file(world.folder / "events.jsonl")
    assert [one["id"] for one in once(got)] == ids
    assert len(got) > len(ids)
    assert len(got) - len(ids) <= 100


async def test_a_sink_that_is_down_is_named_and_holds_up_nothing(
    world: World, receiver: Receiver
) -> None:
    receiver.status = 500
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        rollback = await world.ended()
        lake = world.folder / "events.jsonl"
        await world.until(lambda: _is_told(lake, "rollback.completed"))
        async with (
            ClientSession() as http,
            http.get(f"http://{LOOPBACK}:{world.port}/readyz") as response,
        ):
            ready = (response.status, await response.json())

    assert rollback.state is State.COMPLETED
    assert receiver.got == []
    assert ready[0] == 200
    assert "events.hook" in ready[1]["degraded"]


async def test_people_follow_compare_and_send_again(world: World, receiver: Receiver) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        await world.ended()
        ids = await told(world)

    _, newest, _ = await ask(world, "events", "tail", "-n", "3", "--json")
    compared, said, _ = await ask(world, "events", "replay", "--all")
    whole, streams, _ = await ask(world, "events", "verify")
    code, _, unknown = await ask(world, "events", "send", "hok", str(WHERE), "--from", "2")
    assert code == 1
    assert "hok is no sink that the service has known; it knew: drift, hook, lake" in unknown
    code, _, untold = await ask(world, "events", "send", "hook", "nothing@prod", "--from", "2")
    assert code == 1
    assert "hook got nothing of nothing@prod yet" in untold
    again, words, _ = await ask(world, "events", "send", "hook", str(WHERE), "--from", "2")
    got = len(receiver.got)
    async with asyncio.timeout(LIMIT_S), world.here():
        await told(world)

    assert [json.loads(line)["id"] for line in newest.splitlines()] == ids[-3:]
    assert (compared, whole, again) == (0, 0, 0)
    assert "events lead to what is stored" in said
    assert f"{WHERE}: {len(ids)} events, 1 to {len(ids)}" in streams
    assert f"gets the events of {WHERE} again, from 2 on" in words
    assert [one["id"] for one in receiver.got[got:]] == ids[1:]
    async with world.store.read() as tx:
        entry = next(e for e in await tx.audit.entries() if e.action == "events.send_again")
    assert (entry.resource, entry.what["first"]) == ("sink/hook", 2)


async def test_a_row_that_is_not_what_its_events_tell_is_found(
    world: World, receiver: Receiver
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        rollback = await world.ended()
    tampered = "UPDATE rollback SET record = json_set(record, '$.risk', 'unheard-of')"
    await run(world.database_url, tampered)

    code, said, why = await ask(world, "events", "replay", str(rollback.id))

    assert code == 1
    assert "risk" in said
    assert "1 of 1 rollbacks differ" in why
    assert (await ask(world, "events", "replay"))[0] == 2
    assert (await ask(world, "events", "replay", "99"))[0] == 2


async def test_check_tries_the_sinks_and_sends_no_event(world: World, receiver: Receiver) -> None:
    _, good, _ = await ask(world, "check", "--json")
    receiver.status = 503
    _, bad, _ = await ask(world, "check", "--json")

    def of(text: str) -> dict[str, str]:
        return {one["what"]: one["verdict"] for one in json.loads(text)["checks"]}

    assert of(good)["events.hook"] == of(good)["events.lake"] == "ok"
    assert of(bad)["events.hook"] == "failed"
    assert of(bad)["events.lake"] == "ok"
    assert receiver.got == []
