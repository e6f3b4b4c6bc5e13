"""People practise: the real service, a local Slack and a Dify, from a word to the last note."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.playground.slack.people import ALICE, BOB, DAVE, INCIDENTS
from bot.playground.slack.state import SlackState
from bot.playground.story.workflow import APP
from store.records import RecoveryState, Rollback, State
from tests.acceptance.world import LIMIT_S, WHERE, World, with_button


def mark(world: World) -> None:
    """Say in the configuration that the app serves nobody."""
    text = world.config.read_text(encoding="utf-8")
    marked = text.replace(f"[app.{APP}]\n", f"[app.{APP}]\ndrill = true\n")
    assert marked != text
    world.config.write_text(marked, encoding="utf-8")
    world.quiet = timedelta(0)  # nobody waits minutes to see whether the alert begins again


def the_report(slack: SlackState) -> str:
    """The last word in the thread, once it is said."""
    said = [m.text for m in slack.everything() if "The drill is over" in m.text]
    return said[0] if said else ""


async def the_rollback(world: World) -> Rollback:
    async with world.store.read() as tx:
        (found,) = await tx.rollbacks.newest()
        return found


async def test_people_practise_the_whole_way_and_it_really_rolls_back(
    world_by_each: World,
) -> None:
    world, driver = world_by_each, world_by_each.slack.driver
    mark(world)
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        await world.read_history()
        before = world.dify.state.versions(APP)
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", "drill")).ok
        card = await world.card()
        assert card.text.startswith(f"Drill: Rollback proposed: {WHERE} v6 → v5")
        for who in (BOB, ALICE):
            await world.approve(who)
        await world.ended()

        async def over() -> str:
            await service.see_recovery()
            return the_report(world.slack.state)

        report = await world.until(over)
        rollback = await the_rollback(world)

    assert (rollback.state, rollback.drill) == (State.COMPLETED, True)
    assert rollback.recovery is not None
    assert rollback.recovery.state is RecoveryState.RECOVERED
    (made,) = world.published_by(rollback)
    assert made.hash == before[1].hash, "the version before live answers now"
    assert made.marked_comment.startswith("Keyturn drill: back to version 5, approved by")
    lines = report.split("\n")
    assert lines[0].endswith("*The drill is over*, and it went as it should.")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "• alert → card",
        "• card → second approval",
        "• second approval → verified live",
        "• verified live → recovered",
        "• in all",
    ]
    (told,) = world.slack.state.ephemerals_to(DAVE)
    assert "has begun" in told.text
    assert "*drill* in" in str([m.text + str(m.blocks) for m in world.slack.state.everything()])
    assert world.slack.state.problems == []
    async with world.store.read() as tx:
        entries = await tx.audit.entries()
        assert await tx.versions.condemned(WHERE) == frozenset()
    first = next(entry.seq for entry in entries if entry.action == "drill.start")
    assert all(entry.what.get("drill") is True for entry in entries if entry.seq >= first)
    assert (await world.audit()).ok


async def test_a_drill_that_is_rejected_says_where_it_stopped(world_by_each: World) -> None:
    world, driver = world_by_each, world_by_each.slack.driver
    mark(world)
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        live = world.live.hash
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", f"drill {WHERE}")).ok
        card = await world.card()
        await driver.click(BOB, card.ts, "reject")
        (view,) = await world.slack.state.until(lambda s: s.views_of(BOB), within=LIMIT_S)
        assert view.content["title"]["text"] == "Drill: reject it"
        await driver.submit(BOB, view.id, {"text": "not while the team is at lunch"})
        await world.slack.state.until(the_report, within=LIMIT_S)
        report = the_report(world.slack.state)

        # over means over: the next one may begin
        assert (await driver.command(ALICE, INCIDENTS, "/rollback", "drill")).ok
        (again,) = await world.slack.state.until(
            lambda s: s.messages(INCIDENTS)[1:], within=LIMIT_S
        )

    assert "it stopped at the approvals, where it was rejected with 0 of 2" in report
    assert "• card → its end: " in report
    assert world.live.hash == live
    assert again.text.startswith("Drill: ")
    assert world.slack.state.problems == []


async def test_an_app_that_serves_people_is_refused_with_the_reason(world: World) -> None:
    driver = world.slack.driver
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        assert (await driver.command(DAVE, INCIDENTS, "/rollback", f"drill {WHERE}")).ok
        (told,) = await world.slack.state.until(lambda s: s.ephemerals_to(DAVE), within=LIMIT_S)

    assert "A drill really rolls back" in told.text
    assert "drill = true" in told.text
    assert with_button(world.slack.state) == []
