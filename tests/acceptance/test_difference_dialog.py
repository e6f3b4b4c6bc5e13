"""The button on the card opens the difference on a phone: a list, then one change at a time."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from bot.demo.stage import Stage, set_up
from bot.playground.slack.people import ALICE, BOB, INCIDENTS
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from bot.playground.tales.common import publish_bad
from tests.acceptance.world import LIMIT_S, with_button
from tests.cards import objects


def shown_to(user: str, state: SlackState) -> list[str]:
    """All texts of the dialog before *user*; none while there is none, or it says to wait."""
    views = state.views_of(user)
    said = [o["text"] for o in objects(views[0].content["blocks"] if views else []) if "text" in o]
    texts = [text for text in said if isinstance(text, str)]
    return [] if any("One moment" in text for text in texts) else texts


async def a_card(stage: Stage) -> Message:
    """Break the bot, fire the alert, and return the card that stands then."""
    await stage.service.take_snapshots()
    await publish_bad(stage.scene)
    await stage.scene.fire()
    return (await stage.slack.state.until(with_button, within=LIMIT_S))[0]


async def test_the_difference_is_read_change_by_change_in_a_dialog(tmp_path: Path) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        state, driver = stage.slack.state, stage.slack.driver
        card = await a_card(stage)
        await driver.click(ALICE, card.ts, "difference", channel=INCIDENTS)
        pages = [await state.until(partial(shown_to, ALICE), within=LIMIT_S)]
        (view,) = state.views_of(ALICE)
        for button in ("after", "after", "before", "contents"):
            assert (await driver.click_in_view(ALICE, view.id, f"rollback.page.{button}")).ok
            turned = partial(other_than, pages[-1])
            pages.append(await state.until(turned, within=LIMIT_S))

    contents, first, second, again, last = pages
    assert first[0].startswith("Change 1 of")
    assert second[0].startswith("Change 2 of")
    assert (again, last) == (first, contents)
    assert state.problems == []


def other_than(before: list[str], state: SlackState) -> list[str]:
    now = shown_to(ALICE, state)
    return [] if now == before else now


async def test_each_reads_in_a_dialog_of_their_own(tmp_path: Path) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        state, driver = stage.slack.state, stage.slack.driver
        card = await a_card(stage)
        for user in (ALICE, BOB):
            await driver.click(user, card.ts, "difference", channel=INCIDENTS)
        for user in (ALICE, BOB):
            await state.until(partial(shown_to, user), within=LIMIT_S)
        ids = {view.content["external_id"] for u in (ALICE, BOB) for view in state.views_of(u)}

    assert len(ids) == 2
