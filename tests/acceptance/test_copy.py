"""`keyturn copy`: the whole store into another database, which then does the main job."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from store.records import State
from tests.acceptance.commands import keyturn
from tests.acceptance.world import LIMIT_S, WHERE, World


async def ask(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(*words, variables=world.environment(), cwd=world.folder)
    return told.returncode, told.stdout, told.stderr


async def test_a_database_that_moved_to_postgresql_goes_on_with_the_main_job(
    world: World, postgres_url: str
) -> None:
    async with asyncio.timeout(3 * LIMIT_S):
        await ask(world, "snapshot")
        head = (await world.audit()).head
        copied = await ask(world, "copy", "--to", postgres_url, "--json")
        async with world.moved_to(postgres_url):
            before = await ask(world, "log", str(WHERE), "--json")
            resumed = await ask(world, "resume", "--anchor", head)
            async with world.here():
                was = await world.go()
                await world.turn_second_key()
                ended = await world.ended()
            chain = await world.audit()

    assert copied[0] == 0, copied
    assert json.loads(copied[1])["audit"]["head"] == head
    assert json.loads(copied[1])["paused"] is True
    assert len(json.loads(before[1])) > 1
    assert resumed[0] == 0, resumed
    assert ended.state is State.COMPLETED
    assert world.live.hash == was.good
    assert chain.ok


async def test_what_went_to_postgresql_comes_back_as_it_was(
    world: World, postgres_url: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        await world.ended()
    head = (await world.audit()).head
    back = f"sqlite:///{world.folder / 'back.db'}"
    told = []

    there = await ask(world, "copy", "--to", postgres_url, "--json")
    histories = [await ask(world, "log", str(WHERE), "--json")]
    async with world.moved_to(postgres_url):
        again = await ask(world, "copy", "--to", back, "--json")
    async with world.moved_to(back):
        histories.append(await ask(world, "log", str(WHERE), "--json"))
        told.append(await ask(world, "diff", str(WHERE), "6", "7"))
        chain = await world.audit()

    assert (there[0], again[0]) == (0, 0), (there, again)
    assert json.loads(there[1])["rows"] == json.loads(again[1])["rows"]
    assert histories[0] == histories[1]
    assert told[0][0] == 0
    assert (chain.ok, chain.head) == (True, head)


async def test_a_database_that_holds_something_is_not_filled(
    world: World, postgres_url: str
) -> None:
    await ask(world, "snapshot")
    first = await ask(world, "copy", "--to", postgres_url)
    second = await ask(world, "copy", "--to", postgres_url)
    itself = await ask(world, "copy", "--to", world.database_url)

    assert first[0] == 0, first
    for code, out, err in (second, itself):
        assert (code, out) == (2, "")
        assert "name an empty database" in err


async def test_a_database_in_which_a_rollback_is_executed_is_not_copied(
    world: World, postgres_url: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S):
        served = await world.serve(KEYTURN_FAILPOINT="execute:before_publish=kill")
        await world.go()
        await world.turn_second_key()
        assert await served.ended(within=LIMIT_S) == -signal.SIGKILL

    code, out, err = await ask(world, "copy", "--to", postgres_url)

    assert (code, out) == (1, "")
    assert "is being executed" in err


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        ("oracle://bot:s3cret@db/k", 2, "--to"),
        ("postgresql://bot:s3cret@127.0.0.1:9/keyturn", 1, "cannot be used"),
    ],
)
async def test_an_address_that_is_of_no_use_is_said_without_its_password(
    world: World, to: str, code: int, said: str
) -> None:
    await ask(world, "snapshot")

    told = await ask(world, "copy", "--to", to)

    assert told[0] == code
    assert said in told[2]
    assert "s3cret" not in told[1] + told[2]
