"""Apps without a workflow whose table says `rolls_back_config`: two keys take them back too."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta

import pytest

from bot.playground.dify.faults import Fault
from bot.playground.slack.people import DAVE, INCIDENTS
from bot.playground.story import seed
from bot.playground.story.alerts import Alert
from store.records import AppEnv, Rollback, State, Version
from tests.acceptance.commands import keyturn
from tests.acceptance.process import ROOT
from tests.acceptance.test_crashes import failpoints
from tests.acceptance.world import LIMIT_S, VOTERS, World, with_button

HELPER = AppEnv("helper", "prod")
GOOD, BAD, EDIT = "Answer kindly.", "Answer wrongly.", "Answer in rhyme."
MODES = ("chat", "agent-chat", "completion")
POINTS = ["execute:claimed", *failpoints(ROOT / "bot", "configure")]
PROVIDER, MODEL = "langgenius/openai/openai", "gpt-4o"
WARNING = "an editor's save in its last second would be overwritten unnoticed"


def a_config(prompt: str, **parameters: str) -> dict[str, object]:
    """A whole configuration, with one tool of these parameters if it has any."""
    tool = {"provider_type": "builtin", "provider_id": "jira", "tool_name": "create"}
    tools = [{**tool, "enabled": True, "tool_parameters": parameters}] if parameters else []
    model = {"provider": PROVIDER, "name": MODEL, "mode": "chat", "completion_params": {}}
    agent = {"enabled": bool(tools), "strategy": "function_call", "tools": tools, "prompt": None}
    return {"model": model, "pre_prompt": prompt, "agent_mode": agent}


def opted_in(world: World, mode: str, good: dict[str, object] | None = None) -> None:
    """Make an app of *mode* that is a day old, and watch it with the key that opts in."""
    state = world.dify.state
    state.models = {PROVIDER: {MODEL}}
    app = state.create_app(HELPER.app, mode=mode, by="carol")
    config = good or a_config(GOOD, project="OPS")
    state.save_model_config(app.id, config, at=state.clock() - timedelta(days=1))
    table = f'environments.prod = {{ target = "dify.local", id = "{app.id}" }}'
    world.edit(app=f"[app.{HELPER.app}]\nrolls_back_config = true\n{table}\n")


async def stored(world: World) -> list[Version]:
    """Oldest first."""
    async with world.store.read() as tx:
        return list(reversed(await tx.versions.history(HELPER)))


async def broken(world: World, bad: dict[str, object] | None = None) -> None:
    """Save the bad configuration once the good one is stored, and let its alert fire."""
    await world.until(lambda: stored(world))
    state = world.dify.state
    state.save_model_config(HELPER.app, bad or a_config(BAD, project="OTHER"))
    alert = Alert(HELPER.app, HELPER.env, starts_at=state.clock() + timedelta(seconds=1))
    assert await world.post(alert.body()) == 202


async def two_keys(world: World) -> None:
    await world.approve(VOTERS[0])
    await world.turn_second_key()


def prompt(world: World) -> str:
    config = world.dify.state.app(HELPER.app).model_config
    assert config is not None
    return str(config["pre_prompt"])


@pytest.mark.parametrize("mode", MODES)
async def test_two_keys_take_it_back_on_every_release(world_of_each_age: World, mode: str) -> None:
    world = world_of_each_age
    opted_in(world, mode)
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        before_any_vote = str((await world.card()).blocks)
        await two_keys(world)
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert WARNING in before_any_vote
    assert GOOD in before_any_vote
    assert prompt(world) == GOOD
    assert world.dify.state.faults.count("config_save") == 1
    assert [version.number for version in await stored(world)] == [1, 2, 3]
    assert "Version 3 is live with the content of version 1" in world.card_text()
    logged = await keyturn(
        *("log", str(HELPER), "--json"), variables=world.environment(), cwd=world.folder
    )
    newest = json.loads(logged.stdout)[0]
    assert (newest["rollback"], newest["back_to"]) == (ended.id, 1)
    assert (await world.audit()).ok
    assert not world.slack.state.problems


async def test_a_rollback_is_rolled_back_by_two_keys(world: World) -> None:
    opted_in(world, "chat")
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        await two_keys(world)
        await world.ended()
        undo = f"to {HELPER} 2 it was the provider"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", undo)).ok
        await two_keys(world)
        ended = await world.until(lambda: second(world))

    assert ended.state is State.COMPLETED, ended.outcome
    assert prompt(world) == BAD
    assert [version.number for version in await stored(world)] == [1, 2, 3, 4]


async def second(world: World) -> Rollback | None:
    async with world.store.read() as tx:
        found = [r for r in await tx.rollbacks.newest() if r.id == 2 and not r.open]
    return found[0] if found else None


async def test_a_masked_value_is_named_and_there_is_no_button(world: World) -> None:
    opted_in(world, "agent-chat", a_config(GOOD, key="sk*****3f"))
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world, a_config(BAD, key="sk*****3f"))
        shown = await world.until(lambda: said(world, "Dify masks values of this app's tools"))
        asked = f"to {HELPER} 1"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", asked)).ok
        (told,) = await world.slack.state.until(lambda s: s.ephemerals_to(DAVE), within=LIMIT_S)

    assert "create: key" in shown
    assert "`create: key`" in told.text
    assert not with_button(world.slack.state)
    assert world.dify.state.faults.count("config_save") == 0
    assert prompt(world) == BAD


async def said(world: World, text: str) -> str:
    shown = (str(m.blocks) for m in world.slack.state.messages(INCIDENTS))
    return next((blocks for blocks in shown if text in blocks), "")


async def test_live_that_changed_after_the_votes_is_left_alone(world: World) -> None:
    opted_in(world, "chat")
    state = world.dify.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        await world.approve(VOTERS[0])
        state.save_model_config(HELPER.app, a_config(EDIT))
        await world.turn_second_key()
        ended = await world.ended()

    assert ended.state is State.SUPERSEDED, ended.outcome
    assert state.faults.count("config_save") == 0
    assert prompt(world) == EDIT


async def test_a_save_between_our_look_and_our_write_is_lost_as_the_card_said(
    world: World,
) -> None:
    opted_in(world, "chat")
    state = world.dify.state
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        state.faults.before(
            "config_save", lambda: state.save_model_config(HELPER.app, a_config(EDIT))
        )
        await two_keys(world)
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert prompt(world) == GOOD


FAULTS = {
    "500 after the write was applied": (Fault.ERROR_AFTER, State.COMPLETED),
    "connection lost after the write was applied": (Fault.DROP_AFTER, State.COMPLETED),
    "connection lost before the write": (Fault.DROP, State.COMPLETED),
    "half an answer": (Fault.TRUNCATED, State.COMPLETED),
    "session ended in between": (Fault.EXPIRED, State.COMPLETED),
    "not now": (Fault.UNAVAILABLE, State.COMPLETED),
    "redirected": (Fault.REDIRECT, State.FAILED),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_an_answer_that_does_not_come_is_looked_for(world: World, name: str) -> None:
    fault, state = FAULTS[name]
    opted_in(world, "chat")
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        world.dify.state.faults.add("config_save", fault)
        await two_keys(world)
        ended = await world.ended()

    assert ended.state is state, ended.outcome
    assert prompt(world) == (GOOD if state is State.COMPLETED else BAD)
    assert (await world.audit()).ok


async def test_a_model_that_is_no_longer_there_is_refused_by_dify_and_said(world: World) -> None:
    opted_in(world, "chat")
    world.dify.state.models.clear()
    async with asyncio.timeout(LIMIT_S), world.here():
        await broken(world)
        await two_keys(world)
        ended = await world.ended()

    assert ended.state is State.FAILED, ended.outcome
    assert ended.outcome_facts["upstream_code"] == "invalid_param"
    assert prompt(world) == BAD


async def test_what_dify_completes_as_it_is_written_calls_people(world: World) -> None:
    opted_in(world, "chat")
    state = world.dify.state
    state.models["openai"] = {MODEL}
    app = state.app(HELPER.app)
    app.model_config = state.create_app("As created", mode="chat").model_config
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.until(lambda: stored(world))
        state.save_model_config(HELPER.app, a_config(BAD))
        asked = f"to {HELPER} 1"
        assert (await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", asked)).ok
        await two_keys(world)
        ended = await world.ended()

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, "live_differs"), ended.outcome
    assert "or Dify changed what we wrote. Please look at it now" in world.card_text()


def test_every_point_between_two_effects_has_a_name() -> None:
    assert set(POINTS) >= {
        "execute:claimed",
        "configure:intended",
        "configure:before_write",
        "configure:after_write",
        "configure:before_read_back",
        "configure:verified",
    }


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_killed_while_it_writes_leaves_old_or_new_and_another_ends_it(
    world: World, point: str
) -> None:
    opted_in(world, "agent-chat")
    async with asyncio.timeout(2 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT=f"{point}=kill")
        await broken(world)
        await two_keys(world)

        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        assert prompt(world) in {GOOD, BAD}
        await world.serve()
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert prompt(world) == GOOD
    assert world.dify.state.faults.count("config_save") == 1
    assert [version.number for version in await stored(world)] == [1, 2, 3]
    assert (await world.audit()).ok
    assert not world.slack.state.problems


async def test_check_says_what_opting_in_means_and_looks_at_the_role(world: World) -> None:
    opted_in(world, "chat")

    checked = await keyturn("check", variables=world.environment(), cwd=world.folder)

    shown = " ".join(checked.stdout.split())
    assert "“helper” is of the mode chat" in shown
    assert "live at once; a save in the last second would be overwritten" in shown
    assert "may edit" in shown


async def test_check_names_an_account_that_may_not_write(world: World) -> None:
    opted_in(world, "chat")
    world.dify.state.account(seed.BOT_EMAIL).role = "normal"

    checked = await keyturn("check", variables=world.environment(), cwd=world.folder)

    assert "is no editor" in " ".join(checked.stdout.split())


async def test_discover_offers_the_key_beside_an_app_that_is_compared_only(world: World) -> None:
    world.dify.state.create_app("Helper", mode="agent-chat", by="carol")

    listed = await keyturn("discover", variables=world.environment(), cwd=world.folder)

    comment, table, key, place = listed.stdout.splitlines()[:4]
    assert comment.startswith("# Helper: agent-chat, live version config-")
    assert comment.endswith("; compared only, unless you opt in")
    assert table == "[app.helper]"
    assert key.startswith("# rolls_back_config = true ")
    assert place.startswith("environments.local = ")
