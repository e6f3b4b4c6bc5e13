"""Processes whose own clock is wrong, by libfaketime; their timers go on as they should.

The database and this process have the true time (https://github.com/wolfcw/libfaketime).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

WRONG_BY_S = 600
CLOCKS = {"true": 0, "ahead": WRONG_BY_S, "behind": -WRONG_BY_S}  # seconds
NEAR_S = 60.0  # what starting a process may take


def library() -> Path | None:
    """Where Debian's libfaketime is, or None."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def given(clock: str) -> Mapping[str, str]:
    """The environment variables of a process that has this *clock*."""
    if not CLOCKS[clock]:
        return {}
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{CLOCKS[clock]:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def shown(clock: str) -> float:
    """By how many seconds the clock of such a process really is wrong."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", "import time; print(time.time())"),
        env=given(clock),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return float(said) - time.time()


async def wrong() -> list[str]:
    """Which of the clocks are not as they should be: then nothing is proved by them."""
    seen = {clock: await shown(clock) for clock in CLOCKS}
    return [
        f"the clock that should be {clock} is {by:+.0f} s"
        for clock, by in seen.items()
        if abs(by - CLOCKS[clock]) > NEAR_S
    ]
