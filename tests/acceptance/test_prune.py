"""Clearing away what is old, by the clock of the service and from the command line."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from store.records import AuditEntry
from tests.acceptance.test_commands import ask, read
from tests.acceptance.world import LIMIT_S, World

LONG_AGO = "2020-01-01 00:00:00.000000"
OLD = ("inbox", "outbox")


async def a_past(world: World) -> None:
    """A rollback that was carried out, and everything about it long ago."""
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        await world.ended()
    with closing(sqlite3.connect(world.folder / "keyturn.db")) as database:
        for table in OLD:
            database.execute(f"UPDATE {table} SET done_at = ?", (LONG_AGO,))
        database.execute("DELETE FROM slot WHERE job = 'prune'")  # its next tick has come
        database.commit()


def append(settings: Path, lines: str) -> None:
    settings.write_text(settings.read_text() + lines)


async def pruned(world: World) -> AuditEntry | None:
    async with world.store.read() as tx:
        found = [e for e in await tx.audit.entries() if e.action == "retention.prune"]
    return found[-1] if found else None


async def test_the_service_clears_away_what_is_old_and_says_so_in_the_audit_trail(
    world: World,
) -> None:
    await a_past(world)
    async with asyncio.timeout(LIMIT_S), world.here():
        entry = await world.until(lambda: pruned(world))

    assert entry.user_id == "keyturn"
    assert set(entry.what["removed"]) == set(OLD)
    assert (await world.audit()).ok


async def test_a_person_looks_first_and_then_clears_away(world: World) -> None:
    await a_past(world)
    would = await read(world, "prune", "--dry-run")
    _, said, _ = await ask(world, "prune")
    await ask(world, "prune")  # the row that was the newest, which stays until there is a newer one
    _, again, _ = await ask(world, "prune")
    verified, _, _ = await ask(world, "verify")
    audited, _, _ = await ask(world, "audit", "verify")

    assert (would["removed"], would["paused"]) == (False, False)
    assert would["inbox"] > 0
    assert f"removed {would['inbox']} judged clicks and commands, {would['outbox']} sent" in said
    assert "nothing old enough" in again
    assert (verified, audited) == (0, 0)


async def test_a_time_shorter_than_a_day_is_refused_with_its_place(world: World) -> None:
    append(world.folder / "keyturn.toml", '\n[retention]\ninbox = "2h"\n')

    code, _, why = await ask(world, "prune")

    assert code == 2
    assert "retention.inbox" in why
    assert '"1d"' in why


async def test_while_the_database_is_paused_nothing_is_removed(world: World) -> None:
    await a_past(world)
    await ask(world, "pause", "--reason", "a drill")
    told = json.loads((await ask(world, "prune", "--json"))[1])

    assert (told["removed"], told["paused"]) == (False, True)
    assert told["inbox"] > 0
