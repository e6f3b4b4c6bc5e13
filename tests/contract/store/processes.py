"""Start other processes, let them begin at the same moment, and wait for what they say."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from tests.forks.process import Forked

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120


async def at_once(job: str, url: str, *names: str) -> list[list[str]]:
    """Let one process per name do *job* on the database at *url*; each begins when all are ready.

    Raises:
        AssertionError: One of them failed; its words are in the message.
    """
    command = ("tests.contract.store.another_process", job, url)
    running = [await Forked.start(*command, name, env=os.environ, cwd=ROOT) for name in names]
    try:
        async with asyncio.timeout(PATIENCE_S):
            for process in running:
                await process.stdout.readline()
            said = await asyncio.gather(*(process.communicate(b"go\n") for process in running))
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
                await process.wait()
    for process, (_, errors) in zip(running, said, strict=True):
        assert process.returncode == 0, errors.decode()
    return [json.loads(out) for out, _ in said]
