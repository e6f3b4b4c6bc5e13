"""The demo's page in a real browser, in front of the real service: a newcomer's whole way."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, async_playwright, expect

from bot.demo.stage import Stage, set_up
from bot.playground.page.server import Story, serve_page
from bot.playground.slack.people import ALICE, BOB, CAROL, DAVE, INCIDENTS

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 20_000
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Reader:
    """A person in front of the page, and what their browser complained of."""

    page: Page
    stage: Stage
    url: str
    pictures: Path
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

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


@pytest.fixture
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed")
    return CHROMIUM


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield running
        await running.close()


@pytest.fixture
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """The demo; by Socket Mode for a test that says so."""
    async with set_up(tmp_path, socket=getattr(request, "param", False)) as running:
        await running.service.take_snapshots()
        yield running


@asynccontextmanager
async def reading(
    stage: Stage, browser: Browser, pictures: Path, *, size: dict[str, int], scheme: str
) -> AsyncIterator[Reader]:
    """Open the page in a window of *size*; at the end the browser must have had no complaint."""
    story = Story(stage.publish_bad, stage.fire, stage.resolve)
    served = await serve_page(slack=stage.slack, dify=stage.dify, story=story)
    window = await browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = await window.new_page()
    reader = Reader(page, stage, served.url, _pictures(pictures, size, scheme))
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


def _pictures(folder: Path, size: dict[str, int], scheme: str) -> Path:
    """Where pictures go: a folder of the test, or the one that KEYTURN_PICTURES names."""
    place = Path(os.environ.get("KEYTURN_PICTURES", folder)) / f"{size['width']}-{scheme}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _note_elsewhere(reader: Reader, request: Request) -> None:
    parts = urlsplit(request.url)
    if parts.scheme != "data" and parts.netloc != urlsplit(reader.url).netloc:
        reader.elsewhere.append(request.url)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
async def test_a_newcomer_breaks_the_bot_and_two_people_bring_it_back(
    stage: Stage, browser: Browser, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    async with reading(stage, browser, tmp_path, size=size, scheme=scheme) as reader:
        page = reader.page
        await reader.sees("v6 more articles", inside=".live")
        await reader.check_layout("1-start")

        await reader.break_the_bot()
        await expect(page.locator("#feed").get_by_role("button", name="Approve")).to_be_visible()
        await reader.sees("support-triage")
        await reader.sees("HighErrorRate")
        await reader.sees("gpt-4o-mini")
        await reader.sees("0 of 2", inside="#feed .fields")
        await reader.check_layout("2-card")

        await reader.press("Approve", confirm=True)
        await reader.sees("1 of 2", inside="#feed .fields")
        await reader.press("Approve", confirm=True)
        await reader.sees("Only visible to you")
        await reader.check_layout("3-one-key")

        await reader.act_as(BOB)
        await reader.press("Approve", confirm=True)
        await expect(page.locator("[aria-current=step]")).to_have_count(0)
        await reader.sees("The good version is live again", inside="#status")
        await reader.sees("gpt-4o · temperature 0.2", inside=".live")
        await reader.sees("Rolled back")
        buttons = page.locator("#feed").get_by_role("button", name="Approve")
        await expect(buttons).to_have_count(0)
        await reader.check_layout("4-done")

    live = stage.dify.state.live("support-triage")
    assert live is not None
    assert stage.slack.state.problems == []


@pytest.mark.parametrize("stage", [False, True], ids=["http", "socket"], indirect=True)
async def test_a_reviewer_rejects_with_a_reason_and_everybody_reads_it(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    async with reading(stage, browser, tmp_path, size=DESK, scheme="dark") as reader:
        await reader.break_the_bot()
        await reader.act_as(CAROL)
        await reader.press("Reject")
        await reader.page.locator("#modal textarea").fill("a fix is <on> its way")
        await reader.check_layout("5-reject")
        await reader.page.locator("#modal [type=submit]").click()

        await expect(reader.page.locator("#modal")).to_be_hidden()
        await reader.sees("a fix is <on> its way")
        await expect(
            reader.page.locator("#feed").get_by_role("button", name="Approve")
        ).to_have_count(0)
        await reader.check_layout("6-rejected")


async def test_somebody_who_is_no_reviewer_is_told_so(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    async with reading(stage, browser, tmp_path, size=PHONE, scheme="light") as reader:
        await reader.break_the_bot()
        await reader.act_as(DAVE)
        await reader.press("Approve", confirm=True)

        await reader.sees("Only visible to you")
        await reader.sees("0 of 2", inside="#feed .fields")
        await reader.check_layout("7-refused")


async def test_the_story_can_be_played_by_keyboard_alone(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    async with reading(stage, browser, tmp_path, size=DESK, scheme="light") as reader:
        keyboard = reader.page.keyboard
        await reader.page.locator("#story-publish_bad").focus()
        await keyboard.press("Enter")
        await reader.sees("v7 friendlier answers", inside=".live")
        await reader.page.locator("#say").focus()
        await keyboard.type("/rollback status")
        await keyboard.press("Enter")

        await reader.sees("Only visible to you")
        await expect(reader.page.locator("#say")).to_have_value("")
        assert stage.slack.state.messages(INCIDENTS) == []


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
async def test_a_drill_is_begun_by_a_word_and_says_at_its_end_how_it_went(
    stage: Stage, browser: Browser, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    async with reading(stage, browser, tmp_path, size=size, scheme=scheme) as reader:
        page = reader.page
        await reader.act_as(DAVE)
        await page.locator("#say").fill("/rollback drill")
        await page.keyboard.press("Enter")
        await reader.sees("Drill: Rollback proposed: support-triage-drill@prod")
        await reader.sees("This is a drill")
        await reader.check_layout("drill-1-card")

        await reader.act_as(CAROL)
        await reader.press("Reject")
        await expect(page.locator("#modal")).to_contain_text("Drill: reject it")
        await reader.check_layout("drill-2-reject")
        await page.locator("#modal").get_by_role("button", name="Back").click()

        await reader.act_as(ALICE)
        for tab, panel in (("Direct messages", "#direct"), ("App Home", "#home")):
            await page.get_by_role("tab", name=tab).click()
            await reader.sees("drill in support-triage-drill@prod", inside=panel)
            await reader.check_layout(f"drill-{panel[1:]}")
        await page.get_by_role("tab", name="Channel").click()

        await reader.press("Approve", confirm=True)
        await reader.sees("1 of 2", inside="#feed .fields")
        await reader.act_as(BOB)
        await reader.press("Approve", confirm=True)
        await reader.sees("Drill: Rolled back")
        await reader.sees("I watch whether that helped")
        await reader.sees("KeyturnDrill no longer fires")
        await stage.service.see_recovery()
        await reader.sees("it went as it should")
        await reader.sees("card → second approval")
        await reader.check_layout("drill-3-done")
        await page.locator("#feed > *").last.scroll_into_view_if_needed()
        thread = page.locator("#feed").get_by_text("it went as it should").first
        await thread.scroll_into_view_if_needed()
        await reader.check_layout("drill-4-thread")


async def test_what_the_commands_answer_fits_a_phone(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    asked = {
        "/rollback help": "who may vote, ask and see",
        "/rollback log support-triage@prod": "the first",
        "/rollback diff support-triage@prod 6": "gpt-4o-mini",
        "/rollback who support-triage@prod": "May ask:",
        "/rollback snapshot": "nothing new; version 7 is live",
        "/rollback pause support-triage@prod 2h the gateway is moved": "Suggestions for",
        "/rollback audit support-triage@prod": "keyturn audit verify",
    }
    async with reading(stage, browser, tmp_path, size=PHONE, scheme="light") as reader:
        await reader.page.locator("#story-publish_bad").click()
        await reader.sees("v7 friendlier answers", inside=".live")
        await stage.service.take_snapshots()
        for number, (command, answered) in enumerate(asked.items()):
            await reader.page.locator("#say").fill(command)
            await reader.page.keyboard.press("Enter")
            await reader.sees(answered)
            await reader.page.locator("#feed > *").last.scroll_into_view_if_needed()
            await reader.check_layout(f"command-{number}")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
async def test_a_version_is_chosen_in_a_dialog(
    stage: Stage, browser: Browser, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    async with reading(stage, browser, tmp_path, size=size, scheme=scheme) as reader:
        page, dialog = reader.page, reader.page.locator("#modal")
        await reader.sees("v6 more articles", inside=".live")
        await page.locator("#say").fill("/rollback")
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        await reader.check_layout("choose-1-open")

        await dialog.get_by_role("combobox").fill("triage")
        await dialog.get_by_role("option", name="support-triage@prod").click()
        await reader.sees("Live is version 6", inside="#modal")
        await dialog.get_by_label("Why?").fill("answers were better")
        await dialog.get_by_role("radio").nth(1).check()
        await reader.check_layout("choose-2-versions")
        await dialog.get_by_role("button", name="Ask for it").click()

        await expect(dialog).not_to_be_visible()
        await reader.sees("Why: answers were better")
        await reader.check_layout("choose-3-card")

        await reader.act_as(CAROL)
        await reader.press("Another version")
        await reader.sees("You ask for another version", inside="#modal")
        await dialog.get_by_role("button", name="Ask for it").click()
        await reader.sees("Choose the version to go back to", inside="#modal")
        await reader.check_layout("choose-4-another")
        await dialog.get_by_role("radio").first.check()
        await dialog.get_by_role("button", name="Ask for it").click()
        await expect(dialog).not_to_be_visible()
        await reader.sees("v6 → v5")
        await reader.check_layout("choose-5-replaced")


async def test_a_version_is_chosen_by_keyboard_alone(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    async with reading(stage, browser, tmp_path, size=DESK, scheme="light") as reader:
        keyboard, dialog = reader.page.keyboard, reader.page.locator("#modal")
        await reader.page.locator("#say").fill("/rollback")
        await keyboard.press("Enter")
        await expect(dialog.get_by_role("combobox")).to_be_focused()
        await keyboard.type("triage@")
        await expect(dialog.get_by_role("option")).to_have_count(1)
        await keyboard.press("ArrowDown")
        await keyboard.press("Enter")
        await reader.sees("Live is version 6", inside="#modal")
        await dialog.get_by_role("radio").first.focus()
        await keyboard.press("Space")
        await dialog.get_by_role("button", name="Ask for it").focus()
        await keyboard.press("Enter")
        await reader.sees("v6 → v5")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "light")])
async def test_app_home_shows_what_waits_and_lets_a_manager_pause_a_job(
    stage: Stage, browser: Browser, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    async with reading(stage, browser, tmp_path, size=size, scheme=scheme) as reader:
        page = reader.page
        await reader.break_the_bot()
        await expect(page.locator("#feed").get_by_role("button", name="Approve")).to_be_visible()
        await page.get_by_role("tab", name="App Home").click()
        await reader.sees("approvals 0 of 2", inside="#home")
        await reader.check_layout("8-home")

        await page.get_by_role("button", name="Pause: closer").click()
        await page.locator("#confirm-yes").click()
        await reader.sees("You paused closer", inside="#home")
        await reader.check_layout("9-home-paused")

        await page.get_by_role("tab", name="Direct messages").click()
        await reader.sees("A rollback waits for your vote.", inside="#direct")
        await reader.check_layout("10-direct")
        await page.get_by_role("tab", name="App Home").click()

        await reader.act_as(DAVE)
        await reader.sees("Nothing waits for your vote.", inside="#home")
        buttons = page.locator("#home").get_by_role("button")
        await expect(buttons).to_have_text(["Turn off"])
        await page.get_by_role("tab", name="Channel").click()
        await expect(page.locator("#home")).to_be_hidden()
        await reader.sees("HighErrorRate")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
async def test_while_suggestions_are_paused_the_card_has_facts_and_a_choice(
    stage: Stage, browser: Browser, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    async with reading(stage, browser, tmp_path, size=size, scheme=scheme) as reader:
        page, dialog = reader.page, reader.page.locator("#modal")
        await reader.sees("v6 more articles", inside=".live")
        await page.locator("#say").fill("/rollback pause support-triage@prod 2h gateway moves")
        await page.keyboard.press("Enter")
        await reader.sees("paused suggestions for")
        await reader.break_the_bot()
        await reader.sees("suggestions are paused by @alice")
        await expect(page.locator("#feed").get_by_role("button", name="Approve")).to_have_count(0)
        await reader.check_layout("paused-1-card")

        await reader.press("Another version")
        await reader.sees("Live is version 7", inside="#modal")
        await dialog.get_by_role("radio").first.check()
        await dialog.get_by_role("button", name="Ask for it").click()
        await expect(page.locator("#feed").get_by_role("button", name="Approve")).to_be_visible()
