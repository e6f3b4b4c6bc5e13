"""An editor has typed secrets that nobody has published, and the service dies in the middle."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from bot.playground.dify.workflows import Workflow
from store.records import Rollback, State
from tests.acceptance.test_crashes import check
from tests.acceptance.world import LIMIT_S, World
from tests.plugins.databases import bytes_below


def secrets_of(workflow: Workflow) -> dict[str, str]:
    return {v.name: v.value for v in workflow.environment_variables if v.secret}


@pytest.mark.parametrize("point", ["execute:after_draft_write", "execute:before_draft_return"])
async def test_a_process_that_is_killed_while_it_holds_them_gives_them_back_after_the_restart(
    world: World, tmp_path: Path, point: str
) -> None:
    async with asyncio.timeout(2 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT=f"{point}=kill")
        was = await world.go()
        in_force = secrets_of(world.live)
        theirs = world.set_secrets_unpublished()
        await world.turn_second_key()
        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        assert secrets_of(world.draft) == in_force, "the draft holds the content to publish"
        stored = bytes_below(tmp_path)
        restarted = await world.serve()
        ended = await world.ended()

    await check(world, ended, was, undone=False)
    assert secrets_of(world.draft) == theirs
    assert secrets_of(world.live) == in_force
    assert await actions_of_drafts(world, ended) == ["draft.keep", "draft.seal", "draft.unseal"]
    said = repr([(m.text, m.blocks) for m in world.slack.state.everything()])
    logged = "\n".join(killed.lines + restarted.lines)
    everything = stored + bytes_below(tmp_path) + (said + logged).encode()
    assert b"CRM_TOKEN" in everything, "they are named"
    for value in (*theirs.values(), *in_force.values()):
        assert value.encode() not in everything


async def test_without_the_key_that_sealed_them_people_are_told_which_to_type_again(
    world: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S):
        killed = await world.serve(KEYTURN_FAILPOINT="execute:before_draft_return=kill")
        await world.go()
        world.set_secrets_unpublished()
        await world.turn_second_key()
        assert await killed.ended(within=LIMIT_S) == -signal.SIGKILL
        await world.serve(KEYTURN_SECRET_KEY="another-key-of-the-same-kind-0000")
        ended = await world.ended()

    assert ended.state is State.COMPLETED
    card, *thread = world.slack.state.everything()
    said = [message.text for message in thread if "type them again" in message.text]
    assert len(said) == 1
    assert "`HELPDESK_API_KEY`" in said[0]
    assert "`CRM_TOKEN`" in said[0]
    assert "<!subteam^" in said[0], "and people are called"
    assert "kept" in world.card_text() or "kept" in card.text


async def actions_of_drafts(world: World, rollback: Rollback) -> list[str]:
    async with world.store.read() as tx:
        entries = await tx.audit.entries()
    of_it = [e for e in entries if e.resource == f"rollback/{rollback.id}"]
    return [e.action for e in of_it if e.action.startswith("draft.")]
