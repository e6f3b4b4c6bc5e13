"""`keyturn export`: what is written out, Dify imports; the way out when Slack is down."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.playground.dify import imports
from bot.playground.story import seed
from bot.playground.story.workflow import APP
from store.records import State
from tests.acceptance.commands import keyturn
from tests.acceptance.test_edits_in_between import Edits, said_in_thread
from tests.acceptance.world import LIMIT_S, WHERE, Was, World, graph_hash


async def ask(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(*words, variables=world.environment(), cwd=world.folder)
    return told.returncode, told.stdout, told.stderr


def take_in(world: World, text: str, **where: str) -> dict[str, Any]:
    """Import *text* into the local Dify, as a person does."""
    person = world.dify.state.account("carol")
    status, answer = imports.start(
        world.dify.state, {"mode": "yaml-content", "yaml_content": text, **where}, person
    )
    assert (status, answer["status"]) == (200, "completed")
    return answer


def secret_value(world: World) -> str:
    (secret,) = (v for v in world.live.environment_variables if v.value_type == "secret")
    return str(secret.value)


async def test_an_exported_version_is_imported_over_the_app_and_keeps_its_secrets(
    world: World,
) -> None:
    good, value = world.live.hash, secret_value(world)
    await ask(world, "snapshot")
    seed.publish_bad(world.dify.state)
    await ask(world, "snapshot")

    code, text, steps = await ask(world, "export", str(WHERE), "6")

    assert code == 0
    assert value not in text + steps
    take_in(world, text, app_id=world.dify.state.app(APP).id)
    world.dify.state.publish(
        world.dify.state.app(APP), by=world.dify.state.account("carol"), name="by hand"
    )
    assert world.live.hash == good
    assert secret_value(world) == value
    (last,) = re.findall(r"`keyturn (diff \S+ 6 live)`", steps)
    assert (await ask(world, "snapshot"))[0] == 0
    code, shown, _ = await ask(world, *last.split(), "--exit-code")
    assert code == 0, shown


async def test_without_a_number_it_is_what_was_live_at_the_last_snapshot(world: World) -> None:
    await ask(world, "snapshot")

    _, live, _ = await ask(world, "export", str(WHERE))
    _, sixth, _ = await ask(world, "export", str(WHERE), "v6")

    assert live == sixth
    assert graph_hash(yaml.safe_load(live)["workflow"]["graph"]) == world.live.hash


async def test_a_file_is_for_its_owner_alone_and_a_new_app_has_empty_secrets(
    world: World, tmp_path: Path
) -> None:
    await ask(world, "snapshot")

    code, out, steps = await ask(world, "export", str(WHERE), "--name", "Copy", "--out", "copy.yml")

    assert (code, out) == (0, "")
    assert "copy.yml" in steps
    file = world.folder / "copy.yml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = take_in(world, file.read_text())
    assert made["app_id"] != world.dify.state.app(APP).id
    draft = world.dify.state.draft("Copy")
    assert draft is not None
    assert draft.hash == world.live.hash
    assert [v.value for v in draft.environment_variables if v.value_type == "secret"] == [""]


async def play_with_a_late_save(world: World) -> tuple[Was, int]:
    """A rollback during which an editor saves: theirs stays, and what was there is kept."""
    edits = Edits(world)
    state = world.dify.state

    def save_once_it_is_live() -> None:
        if not edits.theirs and world.live.marked_name.startswith("rollback-"):
            state.save_draft_as_editor(APP, graph=edits.new_graph(), by="carol")

    async with asyncio.timeout(LIMIT_S), world.here():
        was = await world.go()
        state.faults.before("published_get", save_once_it_is_live, always=True)
        await world.turn_second_key()
        ended = await world.ended()
    state.faults.clear()
    assert ended.state is State.COMPLETED
    assert ended.execution.kept_draft_id is not None
    return was, ended.execution.kept_draft_id


async def test_the_draft_that_was_kept_is_written_out_as_the_thread_says(world: World) -> None:
    was, row = await play_with_a_late_save(world)
    said = re.findall(r"keyturn (export \S+ --stored \d+)", said_in_thread(world))
    assert set(said) == {f"export {WHERE} --stored {row}"}

    code, text, steps = await ask(world, *said[0].split())

    assert code == 0
    assert "the draft that was kept on" in steps
    assert "Do not publish it" in steps
    take_in(world, text, app_id=world.dify.state.app(APP).id)
    assert world.draft.hash == was.unpublished
    assert world.live.hash == was.good


async def test_what_is_stored_of_another_app_is_refused(world: World) -> None:
    table = f'[app.other]\nenvironments.prod = {{ target = "dify.local", id = "{other(world)}" }}\n'
    world.config.write_text(world.config.read_text() + table)
    await ask(world, "snapshot")

    of_other, nobodys, both, unknown = [
        await ask(world, "export", *words)
        for words in (
            ("other@prod", "--stored", "1"),
            (str(WHERE), "--stored", "999999999"),
            (str(WHERE), "3", "--stored", "1"),
            ("support-triag@prod", "--stored", "999999999"),
        )
    ]

    assert of_other == (
        2, "", f"keyturn: the stored row 1 is of {WHERE}, not of other@prod\n",
    )  # fmt: skip
    assert nobodys == (2, "", "keyturn: the stored row 999999999 does not exist\n")
    assert (both[0], both[1]) == (2, "")
    assert "either N or --stored" in both[2]
    assert unknown == (
        2, "", f"keyturn: there is no support-triag@prod. Did you mean {WHERE}?\n",
    )  # fmt: skip


def other(world: World) -> str:
    """Another app with a published version."""
    made = world.dify.state.create_app("Other")
    world.dify.state.publish_directly("Other", graph=world.live.graph, by="alice")
    return made.id


@pytest.mark.parametrize("row", ["0", "-1", "x", "99999999999999999999"])
async def test_a_stored_row_is_a_number(world: World, row: str) -> None:
    code, out, said = await ask(world, "export", str(WHERE), "--stored", row)

    assert (code, out) == (2, "")
    assert "--stored" in said


async def test_a_place_where_nothing_can_be_written_is_named(world: World) -> None:
    await ask(world, "snapshot")

    told = await ask(world, "export", str(WHERE), "--out", "nowhere/x.yml")

    assert told == (2, "", "keyturn: nowhere/x.yml cannot be written: No such file or directory\n")
