"""Which outside systems answer; asked at once, said when it changes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bot.errors import BotError, LoginRefused, UpstreamDown
from bot.services.probe import Probe

LIMIT_S = 20.0


class Answering:
    """An outside system that answers what it is told to."""

    def __init__(self) -> None:
        self.error: BotError | None = None

    async def __call__(self) -> None:
        if self.error is not None:
            raise self.error


async def test_who_does_not_answer_is_named_with_why_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    slack, dify = Answering(), Answering()
    probe = Probe({"slack": slack, "dify.prod": dify})
    assert probe.trouble == {}

    await probe()
    assert probe.trouble == {}

    dify.error = UpstreamDown("dify.prod", "no answer")
    for _ in range(3):
        await probe()
    assert probe.trouble == {"dify.prod": "upstream_down"}

    dify.error = LoginRefused("dify.prod", "wrong password")
    await probe()
    assert probe.trouble == {"dify.prod": "login_refused"}

    dify.error = None
    await probe()
    await probe()
    assert probe.trouble == {}
    assert [record.getMessage() for record in caplog.records] == [
        "outside system degraded",
        "outside system degraded",
        "outside system is back",
    ]


async def test_what_is_handed_out_is_a_copy() -> None:
    probe = Probe({})
    probe.trouble["slack"] = "upstream_down"
    assert probe.trouble == {}


async def test_one_that_is_silent_holds_up_nobody() -> None:
    asked: list[str] = []
    all_asked = asyncio.Event()

    async def meet(name: str) -> None:
        asked.append(name)
        if len(asked) == 2:
            all_asked.set()
        async with asyncio.timeout(LIMIT_S):
            await all_asked.wait()

    await Probe({"slack": lambda: meet("slack"), "dify": lambda: meet("dify")})()

    assert sorted(asked) == ["dify", "slack"]
