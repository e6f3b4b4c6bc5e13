"""Every mode of app: chatflows roll back like workflows; the others are read, and told apart."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.playground.slack.people import DAVE, INCIDENTS
from bot.playground.slack.things import Message
from bot.playground.story.alerts import Alert
from bot.playground.story.workflow import APP
from store.records import AppEnv, State, Version, VersionKind
from tests.acceptance.commands import keyturn
from tests.acceptance.world import LIMIT_S, World, with_button

HELPER = AppEnv("helper", "prod")
READS = {"setup_status", "login", "refresh", "profile", "app_list", "app_detail"}
GOOD, BAD = "Answer kindly.", "Answer wrongly."


async def test_a_chatflow_goes_back_like_a_workflow(world_by_each: World) -> None:
    world = world_by_each
    world.dify.state.app(APP).mode = "advanced-chat"
    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        await world.turn_second_key()
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert (world.live.hash, world.draft.hash) == (was.good, was.unpublished)
    assert len(world.published_by(ended)) == 1
    async with world.store.read() as tx:
        assert (await tx.versions.document(ended.leg.to_version_id)).mode == "advanced-chat"
    assert (await world.audit()).ok


def an_agent(prompt: str, mask: str) -> dict[str, object]:
    """A configuration as its console shows it: the tool's key is masked."""
    tool = {"provider_id": "jira", "tool_name": "create", "tool_parameters": {"key": mask}}
    agent = {"enabled": True, "strategy": "function_call", "tools": [tool], "prompt": None}
    return {"pre_prompt": prompt, "agent_mode": agent}


def configured(world: World, mode: str) -> None:
    """Make an app of *mode* that is a day old, and watch it."""
    state = world.dify.state
    app = state.create_app(HELPER.app, mode=mode, by="carol")
    yesterday = state.clock() - timedelta(days=1)
    state.save_model_config(app.id, an_agent(GOOD, "sk*****3f"), at=yesterday)
    table = f'environments.prod = {{ target = "dify.local", id = "{app.id}" }}'
    world.edit(app=f"[app.{HELPER.app}]\n{table}\n")


async def stored(world: World) -> list[Version]:
    async with world.store.read() as tx:
        return list(reversed(await tx.versions.history(HELPER)))


async def card(world: World) -> Message | None:
    found = [m for m in world.slack.state.messages(INCIDENTS) if "Go back by hand" in str(m.blocks)]
    return found[0] if found else None


@pytest.mark.parametrize("mode", ["chat", "agent-chat", "completion"])
async def test_an_app_without_a_workflow_is_read_and_compared_and_left_alone(
    world: World, mode: str
) -> None:
    configured(world, mode)
    state = world.dify.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.until(lambda: stored(world))
        state.save_model_config(HELPER.app, an_agent(BAD, "ab*****9z"))
        alert = Alert(HELPER.app, HELPER.env, starts_at=state.clock() + timedelta(seconds=1))
        assert await world.post(alert.body()) == 202
        shown = str((await world.until(lambda: card(world))).blocks)
        asked = f"to {HELPER} 1"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", asked)).ok
        (told,) = await world.slack.state.until(lambda s: s.ephemerals_to(DAVE), within=LIMIT_S)

    assert GOOD in shown
    assert BAD in shown
    assert not with_button(world.slack.state)
    assert f"keyturn export {HELPER} 1" in shown
    assert f"keyturn export {HELPER} 1" in told.text
    assert {call.route for call in state.faults.log} <= READS
    old, new = await stored(world)
    assert (old.number, new.number) == (1, 2)
    assert {old.kind, new.kind} == {VersionKind.MODEL_CONFIG}
    compared = await keyturn(
        "diff", str(HELPER), "1", "2", variables=world.environment(), cwd=world.folder
    )
    assert BAD in compared.stdout
    assert "*****" not in compared.stdout + shown
    assert (await world.audit()).ok


async def test_check_says_that_people_take_such_an_app_back(world: World) -> None:
    configured(world, "chat")

    checked = await keyturn("check", variables=world.environment(), cwd=world.folder)

    said = "“helper” is of the mode chat: its changes are kept and compared, going back is done"
    shown = " ".join(checked.stdout.split())
    assert said in shown
    assert "rolls_back_config = true in its own table lets Keyturn do it" in shown
    assert "which cannot be rolled back" not in checked.stdout
