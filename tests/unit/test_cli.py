"""The command line as its users meet it: words, exit codes, and never a traceback for a mistake."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

from bot.domain.approval import MOVES
from store.records import AuditDraft
from store.session import open_store
from tests.forks.process import Forked, run

ROOT = Path(__file__).parents[2]
KEY = "k" * 32
TOKEN = "webhook-token"
LIMIT_S = 60.0
Keyturn = Callable[..., subprocess.CompletedProcess[str]]
BODY = (
    ROOT / "tests/payloads/alertmanager_0.25/webhook_005_01_single_firing_main_firing.json"
).read_bytes()


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """A clean environment: nothing of ours but *variables*."""
    url = f"sqlite:///{folder / 'keyturn.db'}"
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": url}
    return {**base, **variables}


@pytest.fixture
def keyturn(tmp_path: Path) -> Keyturn:
    def ran(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(
            "bot", *words, env=environment(tmp_path, **variables), cwd=tmp_path, within_s=LIMIT_S
        )

    return ran


def cold(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same by a Python of its own, which has imported nothing yet."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=cwd,
        env=environment(cwd),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


# -- Words and exit codes -----------------------------------------------------------------------


def test_the_version_is_told(tmp_path: Path) -> None:
    told = cold("--version", cwd=tmp_path)

    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"keyturn \d+\.\d+\.\d+\n", told.stdout)


def test_help_names_every_command(keyturn: Keyturn) -> None:
    told = keyturn("--help")

    assert told.returncode == 0
    for command in ("serve", "migrate", "demo", "audit"):
        assert re.search(rf"^  {command} ", told.stdout, re.MULTILINE)


def test_whoever_reads_may_have_had_enough(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as closed:
        told = subprocess.run(
            [sys.executable, "-m", "bot", "--help"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )

    assert (told.returncode, told.stderr) == (141, b"")


def test_every_command_says_in_a_line_of_80_columns_what_it_does(keyturn: Keyturn) -> None:
    told = keyturn("--help", COLUMNS="80")

    _, commands = told.stdout.split("Commands:")
    assert "..." not in commands
    assert max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [["serv"], ["serve", "--role", "king"], ["serve", "--port", "x"]])
def test_wrong_use_is_told_and_ends_with_2(keyturn: Keyturn, words: list[str]) -> None:
    told = keyturn(*words)

    assert told.returncode == 2
    assert "Error: " in told.stderr
    assert "Traceback" not in told.stderr
    assert "Input should" not in told.stderr


def test_every_mistake_of_the_configuration_is_told_at_once(
    keyturn: Keyturn, tmp_path: Path
) -> None:
    (tmp_path / "keyturn.toml").write_text('[slack]\nchanel = "C1"\n[policy.prod]\nvotes = -1\n')

    told = keyturn("serve", PORT="x", KEYTURN_WEBHOOK_TOKEN="")

    assert told.returncode == 2
    assert told.stdout == ""
    named = [line.strip().partition(": ")[0] for line in told.stderr.splitlines()[1:]]
    assert named == [
        "KEYTURN_WEBHOOK_TOKEN",
        "PORT",
        "slack.chanel",
        "policy.prod.votes",
        "KEYTURN_SECRET_KEY",
    ]


def test_several_processes_are_refused_on_sqlite(keyturn: Keyturn) -> None:
    told = keyturn("serve", "--role", "web", KEYTURN_SECRET_KEY=KEY)

    assert told.returncode == 2
    assert "PostgreSQL" in told.stderr


@pytest.mark.parametrize("words", [["serve"], ["migrate"], ["audit", "verify"]])
def test_a_database_that_is_not_there_is_told_without_its_password(
    keyturn: Keyturn, words: list[str]
) -> None:
    url = "postgresql://keyturn:geheim@127.0.0.1:9/keyturn"

    told = keyturn(*words, KEYTURN_SECRET_KEY=KEY, DATABASE_URL=url)

    assert told.returncode == 1
    assert "DATABASE_URL" in told.stderr
    assert "Traceback" not in told.stderr
    assert "geheim" not in told.stderr


# -- The database -------------------------------------------------------------------------------


async def _append_entries(folder: Path, count: int) -> None:
    store = await open_store(f"sqlite:///{folder / 'keyturn.db'}", moves=MOVES)
    try:
        async with store.write() as tx:
            for number in range(count):
                await tx.audit.append(
                    AuditDraft(
                        user_id="alice",
                        action="vote.approve",
                        resource=f"rollback/{number}",
                        status="ok",
                        what={"number": number},
                        ip_note="Slack tells none",
                    )
                )
    finally:
        await store.close()


def test_a_new_database_is_brought_up_and_verifies(keyturn: Keyturn, tmp_path: Path) -> None:
    assert keyturn("migrate").returncode == 0
    asyncio.run(_append_entries(tmp_path, 3))

    told = keyturn("audit", "verify")

    assert told.returncode == 0
    assert re.fullmatch(r"the audit chain is whole: 3 entries, head [0-9a-f]{64}\n", told.stdout)


def test_a_chain_that_was_tampered_with_is_a_no(keyturn: Keyturn, tmp_path: Path) -> None:
    keyturn("migrate")
    asyncio.run(_append_entries(tmp_path, 3))
    with contextlib.closing(sqlite3.connect(tmp_path / "keyturn.db")) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f'DROP TRIGGER "{name}"')
        (table,) = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%user_id%'"
        ).fetchone()
        database.execute(f"UPDATE {table} SET user_id = 'bob' WHERE seq = 2")
        database.commit()

    told = keyturn("audit", "verify")

    assert told.returncode == 1
    assert "broken at entry 2" in told.stderr


def test_an_absent_database_does_not_verify(keyturn: Keyturn, tmp_path: Path) -> None:
    told = keyturn("audit", "verify")

    assert told.returncode == 2
    assert "there is no database" in told.stderr
    assert not (tmp_path / "keyturn.db").exists()


def test_an_old_schema_says_what_to_run(keyturn: Keyturn, tmp_path: Path) -> None:
    (tmp_path / "keyturn.db").touch()

    told = keyturn("audit", "verify")

    assert told.returncode == 2
    assert "keyturn migrate" in told.stderr


# -- Serving ------------------------------------------------------------------------------------


@dataclass
class Served:
    """A running `keyturn serve`."""

    process: Forked
    url: str
    lines: list[dict[str, object]]


@asynccontextmanager
async def serving(folder: Path, *words: str, **variables: str) -> AsyncIterator[Served]:
    process = await Forked.start(
        *("bot", "serve", "--host", "127.0.0.1", *words),
        env=environment(folder, KEYTURN_SECRET_KEY=KEY, **variables),
        cwd=folder,
    )
    lines: list[dict[str, object]] = []
    try:
        async with asyncio.timeout(LIMIT_S):
            async for raw in process.stderr:
                lines.append(json.loads(raw))
                if lines[-1]["message"] == "serving":
                    break
        assert [line["message"] for line in lines][-1:] == ["serving"], lines
        yield Served(process, f"http://127.0.0.1:{lines[-1]['port']}", lines)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_the_service_starts_on_nothing_but_a_file_and_ends_in_order(
    tmp_path: Path, name: signal.Signals
) -> None:
    async with (
        serving(tmp_path, PORT="0", KEYTURN_WEBHOOK_TOKEN=TOKEN) as served,
        ClientSession() as session,
    ):
        async with session.get(f"{served.url}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"{served.url}/readyz") as answer:
            assert (answer.status, (await answer.json())["down"]) == (200, [])
        async with session.post(
            f"{served.url}/webhooks/alertmanager",
            data=BODY,
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as answer:
            assert answer.status == 202

        served.process.send_signal(name)

        async with asyncio.timeout(LIMIT_S):
            _, rest = await served.process.communicate()
        assert served.process.returncode == 0
        messages = [json.loads(line)["message"] for line in rest.splitlines()]
        assert messages[-1] == "stopped"
    with contextlib.closing(sqlite3.connect(tmp_path / "keyturn.db")) as database:
        tables = [n for (n,) in database.execute("SELECT name FROM sqlite_master")]
        assert tables


async def test_a_taken_port_is_told_with_the_mend(tmp_path: Path, keyturn: Keyturn) -> None:
    async with serving(tmp_path, "--port", "0") as served:
        port = served.url.rpartition(":")[2]

        told = await asyncio.to_thread(
            keyturn,
            *("serve", "--host", "127.0.0.1", "--port", port),
            KEYTURN_SECRET_KEY=KEY,
            DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}",
        )

    assert told.returncode == 2
    assert f"port {port} is taken" in told.stderr
    assert "Traceback" not in told.stderr


# -- What people made of suggestions ------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name a FILE of recorded incidents, or say --from-store"),
        (("a.jsonl", "--from-store"), "FILE and --from-store exclude each other"),
        (("--from-store", "--wrong"), "--wrong and --from-store exclude each other"),
        (("a.jsonl", "--since", "3d"), "--since goes with --from-store"),
        (("--from-store", "--since", "long"), "must be a time with its unit"),
        (("--from-store", "--since", "0d"), "is no time at all"),
    ],
)
def test_a_replay_is_of_a_file_or_of_the_store(
    keyturn: Keyturn, words: tuple[str, ...], sentence: str
) -> None:
    told = keyturn("replay", *words)

    assert (told.returncode, told.stdout) == (2, "")
    assert sentence in told.stderr


def test_a_store_without_suggestions_is_said_to_have_none(keyturn: Keyturn) -> None:
    keyturn("migrate")

    told = keyturn("replay", "--from-store")
    counted = json.loads(keyturn("replay", "--from-store", "--json").stdout)

    assert (told.returncode, told.stdout) == (0, "")
    assert "nothing was suggested that people have answered" in told.stderr
    assert (counted["accepted"], counted["share"], counted["today"]["cases"]) == (0, None, [])
