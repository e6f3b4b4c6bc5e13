"""People choose an app and a version in a dialog: the real service, a local Slack and a Dify."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.playground.slack import views
from bot.playground.slack.people import ALICE, BOB, CAROL, DAVE, INCIDENTS
from bot.playground.slack.things import View
from bot.playground.story import seed
from store.records import Rollback, State
from tests.acceptance.world import LIMIT_S, WHERE, World, with_button

APP_MENU, VERSIONS = "rollback.choose.app", "number"


async def the_dialog(world: World, who: str, says: str = "") -> View:
    """The dialog before *who*, once it *says* something."""
    (view,) = await world.slack.state.until(
        lambda slack: [view for view in slack.views_of(who) if says in str(view.content)],
        within=LIMIT_S,
    )
    return view


async def open_rollbacks(world: World) -> list[Rollback]:
    async with world.store.read() as tx:
        return await tx.rollbacks.in_states([State.PENDING_APPROVAL])


async def test_a_person_chooses_an_app_and_a_version_and_asks_for_it(world_by_each: World) -> None:
    world, driver = world_by_each, world_by_each.slack.driver
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        seed.publish_bad(world.dify.state)

        assert (await driver.command(DAVE, INCIDENTS, "/rollback")).ok
        view = await the_dialog(world, DAVE)
        offered = await driver.look_up(DAVE, view.id, APP_MENU, "TRIAGE")
        assert [one["value"] for one in offered] == [str(WHERE)]
        assert (await driver.choose(DAVE, view.id, APP_MENU, str(WHERE))).ok
        view = await the_dialog(world, DAVE, "Live is *version 6*")
        await driver.choose(DAVE, view.id, VERSIONS, "4")
        assert (await driver.submit(DAVE, view.id, {"text": "answers were better"})).ok
        (card,) = await world.slack.state.until(with_button, within=LIMIT_S)
        (asked,) = await world.until(lambda: open_rollbacks(world))

    assert (asked.requested_slack_id, asked.reason) == (DAVE, "answers were better")
    assert "answers were better" in str(card.blocks)
    assert world.slack.state.views_of(DAVE) == []
    assert world.slack.state.problems == []
    assert (await world.audit()).ok


async def test_whoever_picks_another_version_takes_the_place_of_what_was_open(
    world_by_each: World,
) -> None:
    world, driver = world_by_each, world_by_each.slack.driver
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()
        await world.approve(BOB)

        assert (await driver.click(DAVE, card.ts, "another")).ok
        view = await the_dialog(world, DAVE, "Live is *version 7*")
        await driver.choose(DAVE, view.id, VERSIONS, "5")
        assert (await driver.submit(DAVE, view.id, {"text": "6 was slow too"})).ok
        first = await world.ended()
        (asked,) = await world.until(lambda: open_rollbacks(world))
        await world.slack.state.until(
            lambda slack: "6 was slow too" in str(slack.messages(INCIDENTS)[0].blocks),
            within=LIMIT_S,
        )

    assert (first.state, first.outcome) == (State.SUPERSEDED, "other_version")
    assert (asked.requested_slack_id, asked.votes) == (DAVE, ())
    assert (await world.audit()).ok


async def test_who_may_not_ask_is_told_why_and_nothing_changes(world_by_each: World) -> None:
    world, driver = world_by_each, world_by_each.slack.driver
    world.edit(requesters=f'requesters = []\nviewers = ["{CAROL}"]')
    world.edit(reviewers=f'reviewers = ["{ALICE}", "{BOB}"]')
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()

        assert (await driver.click(CAROL, card.ts, "another")).ok
        view = await the_dialog(world, CAROL, "You may not do this here")

    assert "submit" not in view.content
    async with world.store.read() as tx:
        (open_one,) = await tx.rollbacks.newest()
        refused = [e for e in await tx.audit.entries() if e.status == "refused"]
    assert open_one.state is State.PENDING_APPROVAL
    assert [(entry.user_id, entry.action) for entry in refused] == [(CAROL, "rollback.ask")]


@pytest.mark.parametrize("action", ["approve", "another", "difference"])
async def test_a_second_copy_of_a_card_changes_nothing_and_leads_to_the_right_one(
    world: World, action: str
) -> None:
    driver, slack = world.slack.driver, world.slack.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()
        copy = slack.add(replace(card, ts=slack.new_ts()))
        link = f"p{card.ts.replace('.', '')}"

        assert (await driver.click(BOB, copy.ts, action)).ok
        await slack.until(
            lambda now: (
                link in str([m.text for m in now.ephemerals_to(BOB)])
                or link in str([view.content for view in now.views_of(BOB)])
            ),
            within=LIMIT_S,
        )

    async with world.store.read() as tx:
        (open_one,) = await tx.rollbacks.newest()
    assert (open_one.state, open_one.votes) == (State.PENDING_APPROVAL, ())
    assert (await world.audit()).ok


async def test_where_the_dialog_does_not_open_the_words_come(world: World) -> None:
    driver, slack = world.slack.driver, world.slack.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        signed = driver.prepare_command(DAVE, INCIDENTS, "/rollback", "")
        for trigger in slack.triggers.values():
            trigger.at -= views.TRIGGER_S + 1

        assert (await driver.send(signed)).ok
        (told,) = await slack.until(lambda now: now.ephemerals_to(DAVE), within=LIMIT_S)

    assert "/rollback status" in str(told.blocks)
    assert slack.views_of(DAVE) == []


async def test_paused_suggestions_leave_the_card_and_its_facts(world: World) -> None:
    driver, slack = world.slack.driver, world.slack.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        words = f"pause {WHERE} 2h the gateway is moved"
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", words)).ok
        await slack.until(lambda now: now.ephemerals_to(DAVE), within=LIMIT_S)
        world.break_it()
        await world.fire()
        (card,) = await slack.until(
            lambda now: [m for m in now.messages(INCIDENTS) if "suggestions are paused" in m.text],
            within=LIMIT_S,
        )
        assert with_button(slack) == []
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", f"resume {WHERE}")).ok
        (again,) = await slack.until(with_button, within=LIMIT_S)
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", f"audit {WHERE}")).ok
        told = await slack.until(
            lambda now: [m for m in now.ephemerals_to(DAVE) if "audit chain" in m.text],
            within=LIMIT_S,
        )

    assert again.ts == card.ts
    assert "the gateway is moved" in str(slack.messages(INCIDENTS)[0].text)
    assert "suggestions.pause" in str(told[0].blocks)
    assert "keyturn audit verify" in str(told[0].blocks)
    assert (await world.audit()).ok
