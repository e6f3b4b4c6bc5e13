"""`keyturn demo`: with a page, or headless."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from bot.demo.headless import Say, tell
from bot.demo.stage import LOOPBACK, Stage, set_up
from bot.playground.dify.releases import NEWEST
from bot.playground.page.server import Story, serve_page

_There = AbstractAsyncContextManager[Stage]


def run(
    *,
    port: int,
    headless: bool,
    say: Say,
    socket: bool = False,
    dify_version: str = NEWEST.version,
) -> int:
    """Run the demo in a temporary folder; return the exit code.

    Args:
        port: Of the page; 0 takes a free one.
        headless: Play the story at once, say each step, and say one JSON object last.
        socket: Let Slack send by Socket Mode instead of HTTP.
        say: Gets each line for the person.
        dify_version: Release of the local Dify; KeyError for one that it cannot be.
    """
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder:
        there = set_up(Path(folder), socket=socket, dify_version=dify_version)
        return asyncio.run(_headless(there, say) if headless else _page(there, port, say))


async def _headless(there: _There, say: Say) -> int:
    async with there as stage:
        report = await tell(stage, say)
    say(json.dumps(report.as_json()))
    return 0 if report.status == "completed" else 1


async def _page(there: _There, port: int, say: Say) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with there as stage:
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
