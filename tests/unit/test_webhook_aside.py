"""`keyturn webhook aside`: what was acknowledged and could not be filed, and how it is put back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import main
from bot.domain.approval import MOVES
from store.session import open_store
from tests.contract.store import raw
from tests.contract.store.things import a_delivery


@pytest.fixture
def url(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.log.configure", lambda **_: None)  # the process is not ours alone
    return sqlite_url


def aside(*more: str) -> Result:
    words = ["webhook", "aside", *more]
    return CliRunner().invoke(main.program(words), words)


async def one_set_aside(url: str) -> None:
    store = await open_store(url, moves=MOVES, durable=False)
    try:
        await store.keep([a_delivery(), a_delivery(digest="d2")])
        async with store.write() as tx:
            await tx.arrivals.set_aside(1, "Unreadable: arrival 1 cannot be read")
    finally:
        await store.close()


def test_where_everything_could_be_filed_it_says_so(url: str) -> None:
    found = aside()

    assert (found.exit_code, found.output) == (
        0,
        "every webhook that was acknowledged could be filed\n",
    )


def test_each_is_named_with_its_reason(url: str) -> None:
    asyncio.run(one_set_aside(url))

    found = aside()

    assert (found.exit_code, type(found.exception)) == (1, SystemExit)
    first, when, *_ = found.output.split("  ")
    assert (first, when[-4:]) == ("1", " UTC")
    assert found.output.endswith("1 alert  Unreadable: arrival 1 cannot be read\n")


def test_they_are_told_to_programs(url: str) -> None:
    asyncio.run(one_set_aside(url))

    found = aside("--json")

    told = json.loads(found.output)
    assert [one["id"] for one in told["set_aside"]] == [1]
    assert told["put_back"] == 0


def test_they_are_put_back_when_asked_for(url: str) -> None:
    asyncio.run(one_set_aside(url))

    found = aside("--again")

    assert found.exit_code == 0
    assert found.output.endswith("1 will be filed again by the service\n")
    assert asyncio.run(raw.run(url, "SELECT set_aside FROM arrival")) == [("",), ("",)]
