"""What people type in Slack, and what each of them alone gets to read, by both ways in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.playground.slack.people import ALICE, CAROL, DAVE, FORMER, INCIDENTS
from bot.playground.slack.things import Message
from bot.playground.story import seed
from bot.playground.story.workflow import APP
from tests.acceptance.world import LIMIT_S, WHERE, World

OUTSIDER = CAROL


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    """The service with the history read; carol is neither reviewer nor requester nor viewer."""
    world.edit(reviewers=f'reviewers = ["{ALICE}", "{DAVE}", "{FORMER}"]')
    world.edit(requesters="requesters = []")
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        yield


async def answers(world: World, who: str, text: str, *, number: int = 1) -> list[str]:
    """All that the next *number* private answers to *who* say."""
    before = len(world.slack.state.ephemerals_to(who))
    assert (await world.slack.driver.command(who, INCIDENTS, "/rollback", text)).ok
    found = await world.slack.state.until(
        lambda slack: (
            slack.ephemerals_to(who) if len(slack.ephemerals_to(who)) >= before + number else []
        ),
        within=LIMIT_S,
    )
    return [_all_of(message) for message in found[before:]]


async def answer(world: World, who: str, text: str) -> str:
    (said,) = await answers(world, who, text)
    return said


def _all_of(message: Message) -> str:
    """Text and blocks without the ids that Slack gives to blocks."""
    blocks = [{k: v for k, v in block.items() if k != "block_id"} for block in message.blocks]
    return f"{message.text} {blocks}"


async def test_a_viewer_reads_history_difference_and_policy(world_by_each: World) -> None:
    world = world_by_each
    async with running(world):
        seed.publish_bad(world.dify.state)
        begun, taken = await answers(world, ALICE, f"snapshot {WHERE}", number=2)
        log = await answer(world, ALICE, f"Log {str(WHERE).upper()}")
        diff = await answer(world, ALICE, f"diff {WHERE} v6 live")
        who = await answer(world, ALICE, f"who {WHERE}")

    assert "I am reading" in begun
    assert "new: version 7" in taken
    assert "version 7 is live" in log
    assert "*6*" in log
    assert "gpt-4o-mini" in diff
    assert f"<@{ALICE}> (you)" in who
    assert f"<@{FORMER}> (deactivated)" in who
    assert "2 votes" in who
    assert (await world.audit()).ok


async def test_live_that_was_written_over_is_said_in_the_channel(world_by_each: World) -> None:
    world = world_by_each
    async with running(world):
        await answers(world, ALICE, f"snapshot {WHERE}", number=2)
        live = world.dify.state.live(APP)
        assert live is not None
        model = next(n for n in live.graph["nodes"] if "model" in n["data"])["data"]["model"]
        model["name"] = "somebody-elses-model"
        _, taken = await answers(world, ALICE, f"snapshot {WHERE}", number=2)
        (notice,) = await world.slack.state.until(
            lambda slack: [m for m in slack.messages(INCIDENTS) if "without a publish" in m.text],
            within=LIMIT_S,
        )

    assert "new: version 7" in taken
    assert "is stored as version 7; against version 6: model" in notice.text
    assert "somebody-elses-model" in _all_of(notice)
    assert f"/rollback diff {WHERE} 6 7" in _all_of(notice)
    assert (await world.audit()).ok


async def test_an_app_that_one_may_not_see_is_answered_as_one_that_is_not_there(
    world_by_each: World,
) -> None:
    world = world_by_each
    async with running(world):
        for verb, rest in (
            ("log", ""),
            ("diff", " 6"),
            ("who", ""),
            ("snapshot", ""),
            ("to", " 6"),
        ):
            hidden = await answer(world, OUTSIDER, f"{verb} {WHERE}{rest}")
            absent = await answer(world, OUTSIDER, f"{verb} support-triagf@prod{rest}")

            assert hidden.replace(str(WHERE), "support-triagf@prod") == absent, verb
        misspelt = await answer(world, OUTSIDER, "log support-triage")
        status = await answer(world, OUTSIDER, "status")
        taken = await answer(world, OUTSIDER, "snapshot")

    assert all(str(WHERE) not in said for said in (misspelt, status, taken))


async def test_a_wrong_command_is_answered_with_an_app_of_theirs(world_by_each: World) -> None:
    world = world_by_each
    async with running(world):
        form = await answer(world, ALICE, "to nope 5")
        name = await answer(world, ALICE, "log support-triagf@prod")
        number = await answer(world, ALICE, f"diff {WHERE} 99")
        page = await answer(world, ALICE, f"log {WHERE} 9")

    assert f"`/rollback to {WHERE} 5`" in form
    assert f"Did you mean `{WHERE}`" in name
    assert "The newest one is 6" in number
    assert f"`/rollback log {WHERE} 1`" in page


async def test_a_dify_that_is_down_is_said(world_by_each: World) -> None:
    world = world_by_each
    async with running(world):
        await world.dify.stop()
        _, taken = await answers(world, ALICE, "snapshot", number=2)

    assert "does not answer" in taken
    async with world.store.read() as tx:
        asked = [entry for entry in await tx.audit.entries() if entry.action == "snapshot.ask"]
    assert [(entry.user_id, entry.status) for entry in asked] == [(ALICE, "ok")]
