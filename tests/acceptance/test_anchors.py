"""Heads of the chain outside of the database: on stdout, at an address, in Slack's thread."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bot.playground.slack.people import INCIDENTS
from tests.acceptance.commands import keyturn
from tests.acceptance.test_metrics import TOKEN, scraped
from tests.acceptance.world import LIMIT_S, World
from tests.contract.store import behind
from tests.unit.store.test_walk import a_chain

EVENTS = ("vote.approve", "rollback.execute", "rollback.completed")


@dataclass
class Keeper:
    """Keeps what is posted, after it was ill for a while."""

    ill: int = 2
    port: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        if self.ill:
            self.ill -= 1
            return web.Response(status=503)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        return web.Response(status=204)


@asynccontextmanager
async def keeping() -> AsyncIterator[Keeper]:
    keeper = Keeper()
    application = web.Application()
    application.router.add_post("/", keeper.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    keeper.port = runner.addresses[0][1]
    try:
        yield keeper
    finally:
        await runner.cleanup()


async def ask(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(*words, variables=world.environment(), cwd=world.folder)
    return told.returncode, told.stdout, told.stderr


async def verified_alone(folder: Path, anchors: str) -> tuple[int | None, str]:
    """What the program says that an auditor was given, with Python alone."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "verify_audit.py", "audit.jsonl", "--anchors", anchors),
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    _, told = await program.communicate()
    return program.returncode, told.decode()


async def events(world: World) -> dict[int, str]:
    async with world.store.read() as tx:
        return {e.seq: e.hash for e in await tx.audit.entries() if e.action in EVENTS}


def rewrite(database: Path, count: int) -> None:
    """What an owner of the database can do: another chain, whole in itself, as long as ours."""
    entries = a_chain(count)
    with closing(sqlite3.connect(database)) as sql, sql:
        for name in behind.TRIGGERS["sqlite"]:
            sql.execute(f"DROP TRIGGER {name}")
        sql.execute("DELETE FROM audit")
        for entry in entries:
            row = {**vars(entry), "what": json.dumps(entry.what)}
            marks = ", ".join(f":{name}" for name in row)
            sql.execute(f"INSERT INTO audit ({', '.join(row)}) VALUES ({marks})", row)
        sql.execute("UPDATE audit_head SET hash = ?", (entries[-1].hash,))


async def test_whoever_keeps_anchors_is_not_counted_as_slack(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), keeping() as keeper:
        url = f"http://127.0.0.1:{keeper.port}/"
        with world.config.open("a", encoding="utf-8") as file:
            file.write(f'[audit]\nanchor_url = "{url}"\n')
        async with world.here(KEYTURN_METRICS_TOKEN=TOKEN):
            await world.go()
            await world.turn_second_key()
            await world.ended()
            await world.until(lambda: _has_some(keeper))
            page = await scraped(world.port, TOKEN)

    def counted(system: str, outcome: str) -> float:
        of = {"system": system, "method": "POST", "outcome": outcome}
        return page("keyturn_outside_call_seconds_count", **of) or 0

    assert counted("anchor_url", "5xx") == 2
    assert counted("anchor_url", "2xx") >= 1
    assert counted("slack", "5xx") == 0


async def _has_some(keeper: Keeper) -> bool:
    return bool(keeper.got)


async def test_what_happened_is_anchored_where_the_owner_of_the_database_cannot_reach(
    world: World,
) -> None:
    async with asyncio.timeout(3 * LIMIT_S), keeping() as keeper:
        url = f"http://127.0.0.1:{keeper.port}/"
        with world.config.open("a", encoding="utf-8") as file:
            file.write(f'[audit]\nanchor_url = "{url}"\n')
        served = await world.serve()
        await world.go()
        await world.turn_second_key()
        await world.ended()
        await served.stop()
        assert served.process.stdout is not None
        log = (await served.process.stdout.read()).decode()

    anchored = await events(world)
    code, published, _ = await ask(world, "audit", "anchors")
    _, key, _ = await ask(world, "audit", "key")

    # on stdout and from the command, one line each; each event is under one of them
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["message"] for line in lines} == {"audit anchor"}
    of_log = {line["sequence"]: line["hash"] for line in lines}
    of_command = [json.loads(line) for line in published.splitlines()]
    assert code == 0
    assert {one["sequence"]: one["hash"] for one in of_command} == of_log
    assert max(anchored) <= max(of_log)
    assert of_log.items() & anchored.items()

    # at the address, signed, in order, although it was ill
    posted = [json.loads(body) for _, body in keeper.got]
    assert posted == of_command
    headers, body = keeper.got[0]
    secret = base64.b64decode(key.strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"

    # in Slack, in replies that are not redrawn
    (card,) = world.slack.state.messages(INCIDENTS)
    thread = "\n".join(str(reply.blocks) for reply in world.slack.state.thread(INCIDENTS, card.ts))
    assert thread.count("Record ") == 2, "as it began and as it ended"

    # and each of them finds the owner out
    count = (await world.audit()).entries
    kept = {"log": log, "address": "\n".join(map(json.dumps, posted)), "slack": thread}
    for name, text in kept.items():
        (world.folder / name).write_text(text, encoding="utf-8")
        code, out, err = await ask(world, "audit", "verify", "--anchors", name)
        assert (code, err) == (0, ""), (name, out)
    await ask(world, "audit", "verifier", "--out", "verify_audit.py")
    rewrite(Path(behind.path_of(world.database_url)), count)
    assert (await ask(world, "audit", "verify"))[0] == 0, "it is whole in itself"
    await ask(world, "audit", "export", "--out", "audit.jsonl")
    for name in kept:
        code, _, err = await ask(world, "audit", "verify", "--anchors", name)
        alone, told = await verified_alone(world.folder, name)
        exported, _, said = await ask(
            world, "audit", "verify", "--export", "audit.jsonl", "--anchors", name
        )
        assert (code, alone, exported) == (1, 1, 1), name
        assert "is not what was anchored" in err
        assert "is not what was anchored" in said
        assert "is not what was anchored" in told
