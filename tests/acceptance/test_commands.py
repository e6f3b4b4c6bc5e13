"""Commands that read: what a script or a person gets, from the real command line."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from bot.playground.story import seed
from bot.playground.story.workflow import APP
from tests.acceptance.commands import keyturn
from tests.acceptance.world import WHERE, World


async def ask(world: World, *words: str) -> tuple[int, str, str]:
    told = await keyturn(*words, variables=world.environment(), cwd=world.folder)
    return told.returncode, told.stdout, told.stderr


async def read(world: World, *words: str) -> Any:
    code, out, err = await ask(world, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_a_publish_is_seen_in_snapshot_log_and_diff(world: World) -> None:
    await ask(world, "snapshot")
    seed.publish_bad(world.dify.state)
    (app,) = await read(world, "snapshot")
    log = await read(world, "log", str(WHERE))
    code, text, _ = await ask(world, "diff", str(WHERE), "6", "live", "--exit-code")
    _, shown, _ = await ask(world, "diff", str(WHERE), "6", "7", "--format", "json")

    assert "7" in json.dumps(app)
    assert [version["number"] for version in log[:2]] == [7, 6]
    assert code == 1
    assert "gpt-4o-mini" in text
    assert "\x1b" not in text
    assert "gpt-4o-mini" in json.dumps(json.loads(shown))


async def test_a_difference_is_written_as_a_picture(world: World) -> None:
    await ask(world, "snapshot")
    seed.publish_bad(world.dify.state)
    await ask(world, "snapshot")

    code, out, err = await ask(world, "diff", str(WHERE), "6", "7", "--format", "png")

    assert (code, err) == (0, "")
    assert out.encode(errors="surrogateescape").startswith(b"\x89PNG\r\n\x1a\n")


async def test_a_draft_that_was_lost_is_listed_and_written_out(world: World) -> None:
    await ask(world, "snapshot")
    assert await read(world, "drafts", str(WHERE)) == []
    draft = world.dify.state.draft(APP)
    assert draft is not None
    before = json.loads(json.dumps(draft.graph))
    work = json.loads(json.dumps(before).replace("gpt-4o", "my-night-of-work"))
    world.dify.state.save_draft_as_editor(APP, graph=work, by="carol")
    await ask(world, "snapshot")
    world.dify.state.save_draft_as_editor(APP, graph=before, by="carol")
    await ask(world, "snapshot")

    (kept,) = await read(world, "drafts", str(WHERE))
    _, shown, _ = await ask(world, "drafts", str(WHERE))
    code, written, _ = await ask(world, "export", str(WHERE), "--stored", str(kept["row"]))

    assert kept["changes"]
    assert str(kept["row"]) in shown
    assert code == 0
    assert "my-night-of-work" in written


async def test_a_version_is_named_and_found_by_its_name(world: World) -> None:
    await ask(world, "snapshot")
    given = await read(world, "tag", str(WHERE), "5", "Good")
    _, moved, _ = await ask(world, "tag", str(WHERE), "live", "good")
    (listed,) = await read(world, "tag", str(WHERE))
    log = await read(world, "log", str(WHERE))
    code, _, _ = await ask(world, "diff", str(WHERE), "good", "live", "--exit-code")
    gone = await read(world, "tag", str(WHERE), "--delete", "good")
    _, lines, _ = await ask(world, "audit", "export")

    assert given == {"tag": "good", "number": 5, "was": None}
    assert "moved from version 5 to version 6" in moved
    assert (listed["tag"], listed["number"], listed["by"]) == ("good", 6, "operator")
    assert [version["tags"] for version in log[:2]] == [["good"], []]
    assert code == 0
    assert gone["was"] == 6
    assert [json.loads(line)["action"] for line in lines.splitlines()].count("tag.move") == 2


async def test_a_protected_tag_is_not_moved_from_the_command_line(world: World) -> None:
    await ask(world, "snapshot")
    world.edit(reviewers='protected_tags = ["good"]\nreviewers = ["U0ALICE0001", "U0BOB000001"]')

    code, _, why = await ask(world, "tag", str(WHERE), "5", "good")

    assert code == 2
    assert f"/rollback tag {WHERE} 5 good" in why
    assert await read(world, "tag", str(WHERE)) == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("5", "v7"), "is no number"),
        (("5",), "APP@ENV VERSION NAME"),
        (("99", "good"), "no version 99"),
        (("--delete", "good"), "has no tag good"),
    ],
)
async def test_a_tag_that_makes_no_sense_is_refused(
    world: World, words: tuple[str, ...], hint: str
) -> None:
    await ask(world, "snapshot")
    code, _, why = await ask(world, "tag", str(WHERE), *words)

    assert code == 2
    assert hint in why
    assert "Traceback" not in why


async def test_the_history_is_searched_and_each_find_stands_against_the_version_before(
    world: World,
) -> None:
    await ask(world, "snapshot")
    seed.publish_bad(world.dify.state)
    await ask(world, "snapshot")
    whole = await read(world, "log", str(WHERE))
    (bad,) = await read(world, "log", str(WHERE), "--search", "FRIENDLIER")
    nobody, _, said = await ask(world, "log", str(WHERE), "--author", "nobody at all")
    old = await read(world, "log", str(WHERE), "--until", whole[2]["published_at"][:19])
    wrong, _, why = await ask(world, "log", str(WHERE), "--since", "yesterday")

    assert bad == whole[0]
    assert bad["changes"]
    assert (nobody, said.strip()) == (0, f"keyturn: no version of {WHERE} is like that")
    assert old == whole[-len(old) :]
    assert 0 < len(old) < len(whole)
    assert wrong == 2
    assert "--since" in why


async def test_apps_that_are_not_configured_are_discovered_as_tables(world: World) -> None:
    code, tables, _ = await ask(world, "discover", "--all")

    assert code == 0
    assert "[app." in tables
    assert world.dify.state.apps[0].id in tables


async def test_the_audit_chain_is_exported_and_shown(world: World) -> None:
    await ask(world, "snapshot")
    code, lines, said = await ask(world, "audit", "export")
    tail, _, _ = await ask(world, "audit", "tail", "-n", "5")
    verified, whole, _ = await ask(world, "audit", "verify")

    assert (code, tail, verified) == (0, 0, 0)
    entries = [json.loads(line) for line in lines.splitlines()]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert f"{len(entries)} entries" in said + whole


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("log", "suport-triage@prod"), str(WHERE)),
        (("diff", str(WHERE), "6", "99"), "6"),
        (("snapsot",), "snapshot"),
        (("log", str(WHERE), "--limt", "3"), "--limit"),
        (("diff", str(WHERE), "5", "6", "--format", "jsn"), "Did you mean json?"),
    ],
)
async def test_a_wrong_word_is_one_sentence_with_what_was_meant(
    world: World, words: tuple[str, ...], hint: str
) -> None:
    await ask(world, "snapshot")

    code, _, err = await ask(world, *words)

    assert code == 2
    assert hint in err


async def test_two_answers_of_the_api_are_compared_without_any_database(tmp_path: Path) -> None:
    def answer(name: str, prompt: str, x: int) -> str:
        data = {"type": "llm", "title": "Answer", "prompt_template": [{"text": prompt}]}
        node = {"id": "1", "type": "custom", "position": {"x": x, "y": 0}, "data": data}
        text = json.dumps({"id": name, "graph": {"nodes": [node], "edges": []}, "features": {}})
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    async def diff(*words: str) -> CompletedProcess[str]:
        return await keyturn("diff", *words, variables={}, cwd=tmp_path)

    old, new = answer("old.json", "Be kind.", 0), answer("new.json", "Be rude.", 9)
    (tmp_path / "app.yml").write_text("kind: app\nversion: 0.5.0\napp: {mode: workflow}\n")

    plain = await diff(old, new, "--exit-code")
    drawn = await diff(old, new, "--layout", "--format", "json")
    mixed = await diff(old, "app.yml")

    assert (plain.returncode, "- Be kind." in plain.stdout) == (1, True)
    kinds = [change["kind"] for change in json.loads(drawn.stdout)["changes"]]
    assert kinds == ["prompt", "layout"]
    assert mixed.returncode == 2


async def test_a_damaged_version_is_named_with_its_part(world: World) -> None:
    await ask(world, "snapshot", "--history")
    whole_code, whole, _ = await ask(world, "verify", str(WHERE))
    path = world.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        query = "SELECT id, data FROM part ORDER BY LENGTH(data) DESC LIMIT 1"
        part, data = database.execute(query).fetchone()
        flipped = bytes([*data[:-1], data[-1] ^ 1])
        database.execute("UPDATE part SET data = ? WHERE id = ?", (flipped, part))

    code, _, said = await ask(world, "verify")
    json_code, told, _ = await ask(world, "verify", "--json")

    assert (whole_code, "are whole" in whole) == (0, True)
    assert (code, json_code) == (1, 1)
    assert str(WHERE) in said
    assert re.search(rf"is damaged at graph/nodes/\S+: part {part} ", said), said
    assert json.loads(told)["damaged"][0]["app"] == str(WHERE)
    assert (await ask(world, "verify", "suport-triage@prod"))[0] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: app\n  version: 1", "line 2"),
        ("a: &a [1]\nb: *a\n", "alias"),
        ("app:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 300)), "deep"),
        ("nodes: []\nedges: []\n", "app"),
        ("kind: app\nversion: 0.5.0\napp: {mode: workflow}\n", "neither workflow nor"),
        ("kind: app\nversion: 0.5.0\n#" + "x" * 6_000_000, "5 MiB"),
        ("\x00", "line 1"),
    ],
)
async def test_a_file_that_is_no_export_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.yml").write_text(text, encoding="utf-8")
    (tmp_path / "good.yml").write_text(
        "kind: app\nversion: 0.5.0\napp: {mode: workflow, name: a}\nworkflow: {graph: {}}\n"
    )

    told = await keyturn("diff", "good.yml", "bad.yml", variables={}, cwd=tmp_path)

    assert told.returncode == 2
    assert "bad.yml" in told.stderr
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1


async def test_a_flag_that_there_is_not_is_answered_with_the_nearest(tmp_path: Path) -> None:
    told = await keyturn("diff", "a", "b", "--exitcode", variables={}, cwd=tmp_path)

    assert told.returncode == 2
    assert "--exit-code" in told.stderr
