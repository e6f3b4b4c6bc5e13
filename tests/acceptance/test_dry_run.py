"""What a version needs and the environment lacks is said before anybody approves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from bot import language
from bot.language import CHINESE, ENGLISH
from bot.playground.dify.faults import Fault
from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from bot.playground.story import seed
from bot.playground.story.workflow import HELP_ARTICLES_ID
from store.records import State
from tests.acceptance.commands import keyturn
from tests.acceptance.world import LIMIT_S, WHERE, World


async def test_the_card_says_what_is_missing_and_people_may_approve_all_the_same(
    world: World,
) -> None:
    world.dify.state.models.clear()
    world.dify.state.datasets.clear()
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.alarm()
        card = await world.card()
        said = str(card.blocks)
        await world.approve(ALICE)
        await world.turn_second_key()
        ended = await world.ended()

    assert "Dry run: 2 things are missing in prod: knowledge base " in said
    assert f"{HELP_ARTICLES_ID[:8]}… (node Find help articles)" in said
    assert "model gpt-4o (node Write the reply)" in said
    (snippet,) = [f for f in world.slack.state.files.values() if "Dry run in prod" in f.text]
    assert "model gpt-4o of langgenius/openai/openai" in snippet.text
    assert HELP_ARTICLES_ID in snippet.text
    assert (ended.state, world.live.hash) == (State.COMPLETED, was.good)


async def test_lists_that_cannot_be_read_hold_no_card_up(world: World) -> None:
    world.dify.state.faults.add("models", *[Fault.HANG] * 3)
    world.dify.state.faults.add("datasets", *[Fault.ERROR] * 3)
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.alarm()
        said = str((await world.card()).blocks)
        world.dify.state.faults.clear()

    assert "missing in" not in said, said
    assert "models (no answer in time)" in said
    assert "knowledge bases (no answer)" in said


async def test_a_dry_run_is_asked_for_in_slack_and_opens_nothing(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        seed.publish_bad(world.dify.state)
        assert (
            await world.slack.driver.command(ALICE, INCIDENTS, "/rollback", f"dry-run {WHERE} 6")
        ).ok
        (answer,) = await world.slack.state.until(lambda s: s.ephemerals_to(ALICE), within=LIMIT_S)
        async with world.store.read() as tx:
            opened = await tx.rollbacks.newest()

    said = f"{answer.text} {answer.blocks}"
    assert "dry run from version 7 to version 6" in said
    assert "Nothing is missing" in said
    assert "put the editors' draft back" in said
    assert opened == []


async def told_in_answer(world: World, command: str) -> list[Message]:
    """Let Alice type *command*, and wait for what answers it; all that she was told so far."""
    before = len(world.slack.state.ephemerals_to(ALICE))
    assert (await world.slack.driver.command(ALICE, INCIDENTS, "/rollback", command)).ok

    def told(slack: SlackState) -> list[Message]:
        found = slack.ephemerals_to(ALICE)
        return found if len(found) > before else []

    return await world.slack.state.until(told, within=LIMIT_S)


async def test_who_reads_chinese_is_told_it_in_chinese(world: World) -> None:
    world.slack.state.users[ALICE].locale = "zh-CN"
    world.dify.state.models.clear()
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        seed.publish_bad(world.dify.state)
        await told_in_answer(world, f"dry-run {WHERE} 6")  # it reads what was published
        told = await told_in_answer(world, f"diff {WHERE} 6 7")

    said = "\n".join(str(answer.blocks) for answer in told)
    assert "在 prod 试运行：" in said
    assert "缺少：langgenius/openai/openai 的模型 gpt-4o（节点 Write the reply）" in said
    assert "放回编辑者的草稿" in said
    assert "与线上的差异，共 " in said
    assert "改动：" in said
    assert not any(word in said for word in ("missing", "reworded", "Difference"))


@pytest.fixture
def chinese(world: World) -> Iterator[World]:
    """The world with a workspace that reads Chinese."""
    text = world.config.read_text(encoding="utf-8")
    spoken = text.replace("[slack]\n", f'[slack]\nlanguage = "{CHINESE}"\n')
    world.config.write_text(spoken, encoding="utf-8")
    yield world
    language.settle(ENGLISH)


async def test_in_a_chinese_workspace_the_card_tells_all_of_it_in_chinese(chinese: World) -> None:
    world = chinese
    world.slack.state.users[ALICE].locale = "zh-CN"
    world.dify.state.models.clear()
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.alarm()
        card = await world.card()
        assert (await world.slack.driver.click(ALICE, card.ts, "difference")).ok
        (view,) = await world.slack.state.until(
            lambda s: [v for v in s.views_of(ALICE) if "个" in str(v.content)], within=LIMIT_S
        )

    said = str(card.blocks)
    assert "试运行：prod 中缺少 1 项：模型 gpt-4o（节点 Write the reply）" in said
    assert "提示词已改写" in said
    assert "reworded" not in said + str(view.content)
    assert "Dry run" not in said


async def test_a_script_learns_by_the_exit_code_what_to_expect(world: World) -> None:
    seed.publish_bad(world.dify.state)

    clear = await dry_run(world, "6", "--json")
    world.dify.state.models.clear()
    missing = await dry_run(world, "6")
    refused = await dry_run(world, "7", "--json")

    assert clear[0] == 0
    told = json.loads(clear[1])
    assert (told["verdict"], told["live"], told["version"]) == ("clear", 7, 6)
    assert len(told["steps"]) == 6
    assert missing[0] == 1
    assert "missing: model gpt-4o of langgenius/openai/openai (node Write the reply)" in missing[1]
    assert (refused[0], json.loads(refused[1])["findings"][0]["what"]) == (1, "nothing_to_do")


async def dry_run(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(
        *("dry-run", str(WHERE), *words), variables=world.environment(), cwd=world.folder
    )
    return told.returncode, told.stdout, told.stderr
