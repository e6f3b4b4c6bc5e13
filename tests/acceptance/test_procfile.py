"""The Procfile's two lines, run as a platform runs them: release, then web."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests import ports

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LIMIT_S = 60.0


def test_the_procfile_has_two_lines_and_no_other() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()

    assert lines == ["release: keyturn migrate", "web: keyturn serve"]


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A service whose Slack nobody answers for."""
    with ports.kept() as port:
        yield _environ(tmp_path, port)


def _environ(tmp_path: Path, port: int) -> dict[str, str]:
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'keyturn.db'}",
        "KEYTURN_SECRET_KEY": "k" * 32,
        "SLACK_BOT_TOKEN": "xoxb-nobody-answers",
        "SLACK_SIGNING_SECRET": "s" * 32,
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
    }


async def honcho(folder: Path, environ: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(BIN / "honcho"),
        *("--procfile", str(ROOT / "Procfile"), "--app-root", str(folder)),
        *words,
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def until_ready(url: str) -> dict[str, object]:
    """What /readyz says once it says 200."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        body: dict[str, object] = await answer.json()
                        return body
            await asyncio.sleep(0.05)


async def test_after_the_release_the_web_process_is_ready_although_slack_is_not(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    release = await honcho(tmp_path, environ, "run", "keyturn", "migrate")
    assert await asyncio.wait_for(release.wait(), LIMIT_S) == 0

    web = await honcho(tmp_path, environ, "start", "web")
    try:
        told = await until_ready(f"http://127.0.0.1:{environ['PORT']}")
    finally:
        web.send_signal(signal.SIGTERM)
        await asyncio.wait_for(web.wait(), LIMIT_S)

    assert told["down"] == []
