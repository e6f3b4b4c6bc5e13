"""`keyturn demo`: with a page, or headless."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from pathlib import Path

from bot.demo.headless import Report, Say, tell
from bot.demo.stage import LOOPBACK, set_up
from bot.demo.stories import StoryReport, tell_story
from bot.demo.theatre import open_theatre
from bot.playground.dify.releases import NEWEST
from bot.playground.page.server import serve_page
from bot.playground.tales.all import TALES
from bot.playground.tales.bad_prompt import BAD_PROMPT


def run(
    *,
    port: int,
    headless: bool,
    say: Say,
    story: str = BAD_PROMPT.name,
    socket: bool = False,
    dify_version: str = NEWEST.version,
) -> int:
    """Run the demo in a temporary folder; return the exit code.

    Args:
        port: Of the page; 0 takes a free one.
        headless: Play the story at once, say each step, and say one JSON object last.
        story: A name in `TALES`: the one to play, or with which the page begins.
        socket: Let Slack send by Socket Mode instead of HTTP.
        say: Gets each line for the person.
        dify_version: Release of the local Dify; KeyError for one that it cannot be.
    """
    if headless:
        return asyncio.run(_headless(story, say, socket=socket, dify_version=dify_version))
    return asyncio.run(_page(story, port, say, socket=socket, dify_version=dify_version))


async def _headless(story: str, say: Say, *, socket: bool, dify_version: str) -> int:
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder:
        there = set_up(Path(folder), tale=TALES[story], socket=socket, dify_version=dify_version)
        async with there as stage:
            report: Report | StoryReport = await (
                tell(stage, say) if stage.tale is BAD_PROMPT else tell_story(stage, say)
            )
    say(json.dumps(report.as_json()))
    return 0 if report.status == "completed" else 1


async def _page(story: str, port: int, say: Say, *, socket: bool, dify_version: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with open_theatre(story, socket=socket, dify_version=dify_version) as theatre:
        page = await serve_page(theatre, host=LOOPBACK, port=port)
        say(f"Open {page.url} (Ctrl-C ends it; nothing is kept)")
        await stop.wait()
        await page.stop()
    return 0
