"""The link on a card opens the page of exactly that difference, in a real browser."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import axe_playwright_python
import pytest
from playwright.async_api import Page, async_playwright

from bot.demo.stage import Stage, set_up
from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.tales.common import publish_bad
from tests.acceptance.reader import CHROMIUM, QUIET
from tests.acceptance.world import LIMIT_S, with_button

AXE = Path(axe_playwright_python.__path__[0]) / "axe.min.js"
_LINK = re.compile(r"<(http://127\.0\.0\.1:\d+/diffs/r\d+\?until=\d+&amp;key=[0-9a-f]{64})\|")

_OF_VERSIONS = re.compile(
    r"<(http://127\.0\.0\.1:\d+/diffs/v\d+-\d+\?until=\d+&amp;key=([0-9a-f]{64}))\|"
)


async def link_on_the_card(stage: Stage) -> str:
    """Break the bot, fire the alert, and return the address on the card that stands then."""
    await stage.service.take_snapshots()
    await publish_bad(stage.scene)
    await stage.scene.fire()
    (card,) = await stage.slack.state.until(with_button, within=LIMIT_S)
    found = _LINK.search(str(card.blocks))
    assert found is not None, card.blocks
    return found[1].replace("&amp;", "&")


async def test_a_comparison_asked_for_in_slack_links_to_its_page_with_a_new_day_to_live(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        await stage.service.take_snapshots()
        await stage.slack.driver.command(
            ALICE, INCIDENTS, "/rollback", "diff support-triage@prod 5 6"
        )
        (answer,) = await stage.slack.state.until(lambda s: s.ephemerals_to(ALICE), within=LIMIT_S)
        found = _OF_VERSIONS.search(str(answer.blocks))
        assert found is not None, answer.blocks
        status, html, _ = await fetched(found[1].replace("&amp;", "&"))
        kept = written(tmp_path, found[2])

    assert status == 200
    assert "version 5" in html
    assert "version 6" in html
    assert kept == []


def written(folder: Path, key: str) -> list[Path]:
    """The files under *folder*, the database among them, in which *key* stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if b"SQLite format 3" in path.read_bytes()]
    return [path for path in files if key.encode() in path.read_bytes()]


async def fetched(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.text(), policy


async def test_the_link_on_a_card_opens_the_difference_and_nothing_else_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        url = await link_on_the_card(stage)
        key = url.rpartition("=")[2]
        status, html, policy = await fetched(url)
        base, _, query = url.partition("?")
        others = [
            base,
            url.replace(key, "0" * 64),
            url.replace("until=", "until=1"),
            base.replace("/r", "/r9") + "?" + query,
            base.replace("/diffs/r", "/diffs/v") + "-2?" + query,
        ]
        refused = [await fetched(other) for other in others]

    assert status == 200
    assert "support-triage@prod" in html
    assert "script-src 'sha256-" in policy
    assert {(code, text) for code, text, _ in refused} == {(404, refused[0][1])}
    assert "There is nothing here" in refused[0][1]
    assert key not in caplog.text


async def found_by_axe(page: Page) -> list[str]:
    """What keeps people out, by the rules of https://github.com/dequelabs/axe-core."""
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    await page.evaluate(f"{AXE.read_text()}; 0")
    found = await page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    return [
        f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]
    ]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
async def test_the_page_is_read_on_a_phone_and_by_keyboard(
    tmp_path: Path, width: int, scheme: str
) -> None:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed")
    complaints: list[str] = []
    async with (
        asyncio.timeout(LIMIT_S),
        set_up(tmp_path) as stage,
        async_playwright() as playwright,
    ):
        url = await link_on_the_card(stage)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = await browser.new_page(
            viewport={"width": width, "height": 860},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        drawn = await page.locator(".node.changed").count()
        await page.keyboard.press("j")
        first = await page.evaluate("document.activeElement.id")
        await page.keyboard.press("j")
        await page.keyboard.press("k")
        again = await page.evaluate("document.activeElement.id")
        marked = await page.locator("del, ins").count()
        await page.screenshot(path=tmp_path / f"page-{width}.png", full_page=True)
        barriers = await found_by_axe(page)
        await browser.close()

    assert complaints == []
    assert barriers == []
    assert sideways <= 0
    assert drawn >= 1
    assert (first, again) == ("change-1", "change-1")
    assert marked >= 1
