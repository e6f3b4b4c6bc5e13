"""A person in front of the demo's page, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, ViewportSize, async_playwright, expect

from bot.demo.stage import Stage
from bot.demo.theatre import Theatre
from bot.playground.page.server import serve_page

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 90_000  # a story has several processes, and others use the machine
Scheme = Literal["dark", "light"]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 860}

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Reader:
    """A person in front of the page, and what their browser complained of."""

    page: Page
    theatre: Theatre
    url: str
    pictures: Path
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        """Where the story plays that is on."""
        return self.theatre.stage

    async def act_as(self, user: str) -> None:
        """Press the person's name, as a reader does: the radio button itself is not visible."""
        pill = self.page.locator("label", has=self.page.locator(f"input[value={user}]"))
        await pill.click()
        await expect(pill.locator("input")).to_be_checked()

    async def break_the_bot(self) -> None:
        """Take the first two steps."""
        await self.page.locator("#story-publish_bad").click()
        await self.sees("v7 friendlier answers", inside=".live")
        await self.page.locator("#story-fire_alert").click()

    async def press(self, name: str, *, confirm: bool = False) -> None:
        """Press the first button of this name in the channel, and confirm it once that is asked."""
        await self.page.locator("#feed").get_by_role("button", name=name).first.click()
        if confirm:
            await self.page.locator("#confirm-yes").click()
            await expect(self.page.locator("#confirm")).not_to_be_visible()

    async def sees(self, text: str, *, inside: str = "#feed") -> None:
        await expect(self.page.locator(inside)).to_contain_text(text)

    async def check_layout(self, name: str) -> None:
        """Nothing scrolls sideways, nothing is red; keep a picture of it."""
        width = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{name}: {width} pixels scroll sideways"
        assert await self.page.locator(".broken").count() == 0, name
        await self.page.screenshot(path=self.pictures / f"{name}.png")


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """A Chromium, if there is one."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield running
        await running.close()


@asynccontextmanager
async def reading(
    theatre: Theatre, browser: Browser, pictures: Path, *, size: ViewportSize, scheme: Scheme
) -> AsyncIterator[Reader]:
    """Open the page in a window of *size*; at the end the browser must have had no complaint."""
    served = await serve_page(theatre, pace_ms=0)
    window = await browser.new_context(viewport=size, color_scheme=scheme)
    page = await window.new_page()
    reader = Reader(page, theatre, served.url, _pictures(pictures, size, scheme))
    page.on("pageerror", lambda error: reader.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: reader.complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("request", lambda request: _note_elsewhere(reader, request))
    try:
        await page.goto(served.url)
        yield reader
    finally:
        print("the browser's complaints:", reader.complaints)  # for the report of a failed test
        await window.close()
        await served.stop()
    assert reader.complaints == []
    assert reader.elsewhere == []


def _pictures(folder: Path, size: ViewportSize, scheme: Scheme) -> Path:
    """Where pictures go: a folder of the test, or the one that KEYTURN_PICTURES names."""
    place = Path(os.environ.get("KEYTURN_PICTURES", folder)) / f"{size['width']}-{scheme}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _note_elsewhere(reader: Reader, request: Request) -> None:
    parts = urlsplit(request.url)
    if parts.scheme != "data" and parts.netloc != urlsplit(reader.url).netloc:
        reader.elsewhere.append(request.url)
