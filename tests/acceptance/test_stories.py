"""Every story of the demo to its end: without a browser, and on the page, to be watched."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import axe_playwright_python
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, expect

from bot.cli.service import StoryName
from bot.demo.stage import set_up
from bot.demo.stories import ENDS, tell_story
from bot.demo.theatre import Theatre, open_theatre
from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.tales.all import TALES
from tests.acceptance.reader import DESK, PHONE, Reader, Scheme, a_browser, reading

AXE = Path(axe_playwright_python.__path__[0]) / "axe.min.js"
OTHERS = [name for name in TALES if name != "bad-prompt"]  # tests/acceptance/test_demo.py has that
SAID = {  # what stands in the channel at a story's end
    "bad-prompt": "Rolled back support-triage@prod v7 → v6",
    "two-changes": "Why: before both changes",
    "outage": "This looks like an outage of openai",
    "rejected": "Rejected by @carol",
    "live-changed": "What is live changed since this was proposed",
    "dify-fails": "Nothing of ours went live",
}

APPROVE = "#feed button[data-action='rollback.approve']"

in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def theatre() -> AsyncIterator[Theatre]:
    async with open_theatre("bad-prompt") as running:
        yield running


@pytest.mark.parametrize("name", OTHERS)
async def test_a_story_ends_as_it_should(tmp_path: Path, name: str) -> None:
    said: list[str] = []
    async with set_up(tmp_path, tale=TALES[name]) as stage:
        report = await tell_story(stage, said.append)

    assert report.status == "completed", json.dumps(report.as_json())
    assert report.rollbacks == list(ENDS[name].states)
    assert said[-1] == TALES[name].end


async def test_a_story_that_ends_otherwise_is_not_completed(tmp_path: Path) -> None:
    under_a_wrong_name = replace(TALES["rejected"], name="bad-prompt")
    async with set_up(tmp_path, tale=under_a_wrong_name) as stage:
        report = await tell_story(stage, lambda _: None)

    assert (report.status, report.rollbacks) == ("failed", ["REJECTED"])


def test_the_command_knows_every_story() -> None:
    assert list(StoryName.__args__) == list(TALES) == list(ENDS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", TALES)
@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
@in_one_loop
async def test_a_story_is_played_for_the_reader_to_its_end(
    theatre: Theatre,
    browser: Browser,
    tmp_path: Path,
    name: str,
    size: ViewportSize,
    scheme: Scheme,
) -> None:
    async with reading(theatre, browser, tmp_path, size=size, scheme=scheme) as reader:
        page = reader.page
        await page.locator(f"#begin-{name}").click()
        await expect(page.locator(f"#begin-{name}")).to_have_attribute("aria-current", "true")
        await expect(page.locator("#feed .message").first).to_be_visible()
        await reader.check_layout(f"{name}-1-begun")
        await page.locator("#play").click()

        await reader.sees(TALES[name].end, inside="#end")
        await expect(page.locator("#play")).to_have_text("▶ Play it for me")
        await reader.sees(SAID[name])
        await expect(page.locator("#confirm")).not_to_be_visible()
        await page.locator("#story").scroll_into_view_if_needed()
        await reader.check_layout(f"{name}-2-ended")

    assert theatre.tale.name == name
    assert theatre.scene.slack.state.problems == []


@in_one_loop
async def test_each_story_begins_with_nothing_left_of_the_one_before(
    theatre: Theatre, browser: Browser, tmp_path: Path
) -> None:
    async with reading(theatre, browser, tmp_path, size=DESK, scheme="light") as reader:
        page = reader.page
        await page.locator("#begin-rejected").click()
        await expect(page.locator("#feed").get_by_role("button", name="Reject")).to_be_visible()
        await reader.press("Reject")
        await expect(page.locator("#modal")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#modal")).to_be_hidden()
        await page.locator("#begin-outage").click()

        await reader.sees("This looks like an outage")
        await expect(page.locator("#feed > .message")).to_have_count(1)
        await page.locator("#begin-bad-prompt").click()
        await reader.sees("v7 friendlier answers", inside=".live")
        await reader.sees("Approvals 0 of 2")
        await expect(page.locator("#feed > .message")).to_have_count(1)


@in_one_loop
async def test_a_story_is_played_by_keyboard_alone_from_the_first_tab_to_the_last_approval(
    theatre: Theatre, browser: Browser, tmp_path: Path
) -> None:
    async with reading(theatre, browser, tmp_path, size=DESK, scheme="light") as reader:
        keyboard = reader.page.keyboard
        await tab_to(reader, "#story-publish_bad")
        await keyboard.press("Enter")
        await reader.sees("v7 friendlier answers", inside=".live")
        await tab_to(reader, "#story-fire_alert")
        await keyboard.press("Space")
        await approve(reader)
        await reader.sees("Approvals 1 of 2")
        await tab_to(reader, "input[name=me]:checked")
        await keyboard.press("ArrowDown")
        await expect(reader.page.locator("input[name=me]:checked")).to_have_attribute(
            "aria-label", "bob, reviewer"
        )
        await approve(reader)

        await reader.sees(TALES["bad-prompt"].end, inside="#end")
        await reader.sees("Rolled back")
        focused = await reader.page.evaluate("document.activeElement.tagName")
        assert focused != "BODY", "whoever uses the keyboard is not sent to the top"


async def approve(reader: Reader) -> None:
    """Press Approve and confirm it, with the keyboard."""
    await expect(reader.page.locator(APPROVE)).to_be_visible()
    await tab_to(reader, APPROVE)
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.locator("#confirm")).to_be_visible()
    await tab_to(reader, "#confirm-yes")
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.locator("#confirm")).not_to_be_visible()


async def tab_to(reader: Reader, selector: str) -> None:
    """Press Tab until what is meant has the focus, and see that one can see that."""
    for _ in range(80):
        await reader.page.keyboard.press("Tab")
        if await reader.page.evaluate("s => document.activeElement.matches(s)", selector):
            break
    else:
        raise AssertionError(f"Tab never comes to {selector}")
    seen = await reader.page.evaluate(
        """() => [document.activeElement, document.activeElement.nextElementSibling].some(
            one => one && getComputedStyle(one).outlineStyle !== 'none')"""
    )
    assert seen, f"the focus on {selector} is not visible"


@in_one_loop
async def test_a_card_that_is_redrawn_under_the_finger_is_pressed_all_the_same(
    theatre: Theatre, browser: Browser, tmp_path: Path
) -> None:
    async with reading(theatre, browser, tmp_path, size=DESK, scheme="light") as reader:
        page, slack = reader.page, theatre.scene.slack.state
        await reader.break_the_bot()
        approve = page.locator("#feed").get_by_role("button", name="Approve")
        await approve.hover()
        await page.mouse.down()
        (card,) = [card for card in slack.messages(INCIDENTS) if card.blocks]
        card.edited_ts, card.blocks = card.ts, [*card.blocks, {"type": "divider"}]
        slack.touch()
        await expect(page.locator("body[data-held]")).to_have_count(1)
        assert await page.locator("#feed hr").count() == 0
        await page.mouse.up()

        await expect(page.locator("#confirm")).to_be_visible()
        await expect(page.locator("#feed hr")).to_have_count(1)
        await page.locator("#confirm-yes").click()
        await slack.until(lambda state: state.ephemerals_to(ALICE), within=30)
        await reader.sees("Approvals 1 of 2")


@in_one_loop
async def test_a_question_is_neither_closed_nor_opened_by_a_redraw_in_the_same_moment(
    theatre: Theatre, browser: Browser, tmp_path: Path
) -> None:
    def at_once(selector: str, words: str) -> str:
        """Press *selector*, and redraw a part of the page before the browser does anything else."""
        return (
            f"document.querySelector(`{selector}`).click();"
            f"place(document.querySelector('.told').dataset.fragment, '<p>{words}</p>');"
            "document.querySelector('.told').textContent"  # the server soon says what it is
        )

    async with reading(theatre, browser, tmp_path, size=DESK, scheme="light") as reader:
        page = reader.page
        question = page.locator("#confirm")
        await reader.break_the_bot()
        await expect(page.locator(APPROVE)).to_be_visible()
        for number in range(2):  # the second time it has been open and closed before
            told = await page.evaluate(at_once(APPROVE, f"opened {number}"))
            assert told == f"opened {number}"
            await expect(question).to_be_visible()
            told = await page.evaluate(at_once("#confirm-no", f"closed {number}"))
            assert told == f"closed {number}"
            await expect(question).not_to_be_visible()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@in_one_loop
async def test_the_page_keeps_nobody_out(
    theatre: Theatre, browser: Browser, tmp_path: Path, size: ViewportSize, scheme: Scheme
) -> None:
    async with reading(theatre, browser, tmp_path, size=size, scheme=scheme) as reader:
        page = reader.page
        assert await found_by_axe(reader) == []
        await reader.break_the_bot()
        await reader.press("Approve", confirm=True)
        await reader.sees("Only visible to you")
        assert await found_by_axe(reader) == []
        await reader.press("Reject")
        await expect(page.locator("#modal textarea")).to_be_focused()
        assert await found_by_axe(reader) == []
        await page.keyboard.press("Escape")
        for tab in ("App Home", "Direct messages"):
            await page.get_by_role("tab", name=tab).click()
            await reader.sees("support-triage", inside="#home" if tab == "App Home" else "#direct")
            assert await found_by_axe(reader) == []


async def found_by_axe(reader: Reader) -> list[str]:
    """What keeps people out, by the rules of https://github.com/dequelabs/axe-core.

    A message that has just come is washed with a colour for a moment; that is let end.
    """
    page = reader.page
    await page.evaluate(
        "Promise.all(document.getAnimations().map(one => (one.finish(), one.finished)))"
    )
    session = await page.context.new_cdp_session(page)  # evaluated past the page's own policy
    await session.send("Runtime.evaluate", {"expression": f"{AXE.read_text()}; 0"})
    found = await page.evaluate("axe.run()")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@in_one_loop
async def test_a_phone_has_a_way_to_each_part(
    theatre: Theatre, browser: Browser, tmp_path: Path
) -> None:
    async with reading(theatre, browser, tmp_path, size=PHONE, scheme="light") as reader:
        for name in ("Channel", "People", "Dify", "Story"):
            await reader.page.locator(".jump").get_by_text(name).click()
            await expect(reader.page.locator(f"#{name.lower()}")).to_be_in_viewport()
