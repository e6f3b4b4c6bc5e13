"""The real command line against a world: `python -m bot …` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.forks.process import Forked

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0


async def keyturn(
    *words: str, variables: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run one command with nothing in its environment but *variables*; wait for its end."""
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    process = await Forked.start("bot", *words, env=known, cwd=cwd)
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate(stdin)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    text = out.decode(errors="surrogateescape")  # a picture is no text
    told = subprocess.CompletedProcess(words, process.returncode, text, err.decode())
    assert "Traceback" not in told.stderr, told.stderr
    return told
