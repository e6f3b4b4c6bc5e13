"""A chart as a PNG, drawn in a process apart, which knows no secret and may die.

matplotlib takes a second to import and holds the interpreter while it draws: a service that drew
by itself would answer nobody for as long.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import msgspec

from bot.domain.chart.view import ChartView

LIMIT_S = 30.0
_ROOT = Path(__file__).parents[2]  # an isolated interpreter looks for no module beside itself
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from bot.charting.draw import main; main()"
_log = logging.getLogger(__name__)


async def chart_apart(view: ChartView) -> bytes | None:
    """Return *view* as a PNG without holding anybody up.

    None where it cannot be drawn, and after half a minute; the log says why.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _RUN, str(_ROOT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
        )
    except OSError as error:  # no room for another process: the thread goes on without its chart
        _log.warning("no chart: no process to draw it", extra={"why": str(error)})
        return None
    try:
        async with asyncio.timeout(LIMIT_S):
            content, said = await process.communicate(msgspec.json.encode(view))
    except TimeoutError:
        _log.warning("no chart: not drawn in time", extra={"seconds": LIMIT_S})
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not content:
        _log.warning("no chart: not drawn", extra={"why": said.decode(errors="replace")[-300:]})
        return None
    return content
