"""A restored backup: paused until it was compared, and what the original did is not done again."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp

from bot.playground.slack.people import INCIDENTS
from bot.playground.story.workflow import APP
from store.records import State
from tests.acceptance.commands import keyturn
from tests.acceptance.world import LIMIT_S, LOOPBACK, VOTERS, World


async def ask(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(*words, variables=world.environment(), cwd=world.folder)
    return told.returncode, told.stdout, told.stderr


async def ready(world: World) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{LOOPBACK}:{world.port}/readyz") as answer,
    ):
        assert answer.status == 200
        said: dict[str, Any] = await answer.json()
        return said


async def killed_while_executing(world: World, copy: Path) -> None:
    """Back up a database in which a rollback is being executed; the original then ends it."""
    served = await world.serve(KEYTURN_FAILPOINT="execute:before_publish=kill")
    await world.go()
    await world.turn_second_key()
    assert await served.ended(within=LIMIT_S) == -signal.SIGKILL
    code, _, err = await ask(world, "backup", str(copy))
    assert code == 0, err
    async with world.here():
        ended = await world.ended()
    assert ended.state is State.COMPLETED


async def test_what_was_executed_after_the_backup_is_not_executed_again(
    world: World, tmp_path: Path
) -> None:
    copy = tmp_path / "older.db"
    async with asyncio.timeout(3 * LIMIT_S):
        await killed_while_executing(world, copy)
        head = (await world.audit()).head
        good, versions = world.live.hash, len(world.dify.state.versions(APP))
        cards = len(world.slack.state.messages(INCIDENTS))
        async with world.moved_to(f"sqlite:///{copy}"):
            async with world.here():
                await world.read_history()  # it reads, and knows what is live
                said = await ready(world)
            async with world.store.read() as tx:
                (before,) = await tx.rollbacks.newest()
            behind = await ask(world, "resume", "--anchor", head)
            differs = await ask(world, "resume", "--without-anchor", "--json")
            async with world.here():
                after = await world.ended()
                now = await ready(world)

    assert "paused" in said["degraded"]
    assert before.state is State.EXECUTING, "nothing is executed while it is paused"
    assert behind[0] == 1
    assert "audit chain" in behind[1]
    assert differs[0] == 0, differs
    assert json.loads(differs[1])["paused"] is False
    assert (after.state, after.outcome) == (State.SUPERSEDED, "carried_out")
    assert "paused" not in now["degraded"]
    assert world.live.hash == good
    assert len(world.dify.state.versions(APP)) == versions
    assert len(world.slack.state.messages(INCIDENTS)) == cards
    assert not world.slack.state.problems


async def test_a_backup_is_paused_until_an_anchor_is_given_or_refused(
    world: World, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    await ask(world, "snapshot")
    head = (await world.audit()).head
    assert (await ask(world, "backup", str(copy)))[0] == 0
    async with world.moved_to(f"sqlite:///{copy}"):
        without = await ask(world, "resume")
        other = await ask(world, "resume", "--anchor", "0" * 64)
        checked = await ask(world, "check", "--json")
        resumed = await ask(world, "resume", "--anchor", head[:12])
        again = await ask(world, "resume")
        whole = await ask(world, "audit", "verify")

    assert without[0] == 2
    assert "--without-anchor" in without[2]
    assert other[0] == 1
    (database,) = [c for c in json.loads(checked[1])["checks"] if c["what"] == "database"]
    assert "keyturn resume" in database["mend"]
    assert resumed[0] == 0, resumed
    assert again[1] == "it is not paused\n"
    assert whole[0] == 0


async def test_while_a_person_has_paused_a_vote_is_refused_and_counts_after_the_resume(
    world: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        await world.go()
        paused = await ask(world, "pause", "--reason", "the cluster moves")
        card = await world.card()
        await world.slack.driver.click(VOTERS[1], card.ts, "approve")
        told = await world.slack.state.until(lambda s: s.ephemerals_to(VOTERS[1]), within=LIMIT_S)
        resumed = await ask(world, "resume")
        await world.turn_second_key()
        ended = await world.ended()

    assert paused[0] == 0, paused
    assert "keyturn resume" in str(told[0])
    assert resumed[0] == 0, resumed
    assert ended.state is State.COMPLETED
    assert (await world.audit()).ok
