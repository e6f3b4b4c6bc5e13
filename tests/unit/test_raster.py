"""Pixels: the same here and in a process apart, which knows no secret and may die."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest

from bot import raster

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"><text y="20">Hi</text></svg>'
ENDLESS = "import sys, time; sys.stdin.read(); time.sleep(600)"


async def test_a_process_apart_draws_the_same_pixels() -> None:
    here = raster.png(SVG, zoom=2)

    assert here is not None
    assert await raster.png_apart(SVG, zoom=2) == here


@pytest.mark.parametrize(
    "svg", ["", "<svg", "no drawing", '<svg xmlns="http://www.w3.org/2000/svg"/>']
)
async def test_what_is_no_drawing_is_no_picture(svg: str) -> None:
    assert raster.png(svg, zoom=1) is None or "xmlns" in svg
    assert await raster.png_apart(svg, zoom=1) == raster.png(svg, zoom=1)


async def test_the_process_apart_gets_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEYTURN_SECRET_KEY", "k" * 40)
    seen = {"not": "called"}
    real = asyncio.create_subprocess_exec

    async def spawn(*words: str, env: dict[str, str], **more: Any) -> asyncio.subprocess.Process:
        seen.clear()
        seen.update(env)
        return await real(*words, env=env, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    await raster.png_apart(SVG, zoom=1)

    assert seen == {}


async def test_one_that_never_ends_is_killed_and_is_no_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(raster, "LIMIT_S", 0.2)
    started: list[asyncio.subprocess.Process] = []
    real = asyncio.create_subprocess_exec

    async def spawn(*words: str, **more: Any) -> asyncio.subprocess.Process:
        started.append(await real(sys.executable, "-c", ENDLESS, **more))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    assert await raster.png_apart(SVG, zoom=1) is None
    assert started[0].returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


async def test_without_room_for_a_process_there_is_no_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def spawn(*words: str, **more: Any) -> asyncio.subprocess.Process:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    assert await raster.png_apart(SVG, zoom=1) is None
