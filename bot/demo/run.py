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


def run(*, port: int, headless: bool, say: Say, dify_version: str = NEWEST.version) -> int:
    """Run the demo in a temporary folder; return the exit code.

    Args:
        port: Of the page; 0 takes a free one.
        headless: Play the story at once, say each step, and say one JSON object last.
        say: Gets each line for the person.
        dify_version: Release of the local Dify; KeyError for one that it cannot be.
    """
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder:
        stage = set_up(Path(folder), dify_version=dify_version)
        return asyncio.run(_headless(stage, say) if headless else _page(stage, port, say))


async def _headless(setting: AbstractAsyncContextManager[Stage], say: Say) -> int:
    async with setting as stage:
        report = await tell(stage, say)
    say(json.dumps(report.as_json()))
    return 0 if report.status == "completed" else 1


async def _page(setting: AbstractAsyncContextManager[Stage], port: int, say: Say) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with setting as stage:
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
