"""`keyturn demo`: with a page, or headless."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from pathlib import Path

from bot.demo.headless import Say, tell
from bot.demo.stage import LOOPBACK, Stage, set_up
from bot.playground.page.server import Story, serve_page


def run(*, port: int, headless: bool, say: Say) -> int:
    """Run the demo in a temporary folder; return the exit code.

    Args:
        port: Of the page; 0 takes a free one.
        headless: Play the story at once, say each step, and say one JSON object last.
        say: Gets each line for the person.
    """
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder:
        work = _headless(Path(folder), say) if headless else _page(Path(folder), port, say)
        return asyncio.run(work)


async def _headless(folder: Path, say: Say) -> int:
    async with set_up(folder) as stage:
        report = await tell(stage, say)
    say(json.dumps(report.as_json()))
    return 0 if report.status == "completed" else 1


async def _page(folder: Path, port: int, say: Say) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with set_up(folder) as stage:
        await stage.service.take_snapshots()
        page = await serve_page(
            slack=stage.slack, dify=stage.dify, story=_story(stage), host=LOOPBACK, port=port
        )
        say(f"Open {page.url} (Ctrl-C ends it; nothing is kept)")
        await stop.wait()
        await page.stop()
    return 0


def _story(stage: Stage) -> Story:
    async def fire() -> None:
        await stage.fire()

    return Story(publish_bad=stage.publish_bad, fire_alert=fire, resolve=stage.resolve)
