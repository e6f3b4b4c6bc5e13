"""What a person at a terminal gets beyond the words: colours when they want them, completion."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from pathlib import Path

import pytest

from tests.acceptance.commands import LIMIT_S, ROOT, keyturn

OLD = "kind: app\nversion: 0.5.0\napp: {mode: workflow, name: a}\nworkflow: {graph: {}}\n"
COLOUR = b"\x1b[3"  # red, green, cyan, …; bold is no colour


async def at_a_terminal(*words: str, cwd: Path, **variables: str) -> bytes:
    """All that a terminal is sent by one command."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *words),
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm", **variables},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        async with asyncio.timeout(LIMIT_S):
            await process.wait()
        return os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_a_difference_is_coloured_unless_no_color_is_set(
    tmp_path: Path, variables: dict[str, str], coloured: bool
) -> None:
    (tmp_path / "old.yml").write_text(OLD)
    (tmp_path / "new.yml").write_text(OLD.replace("mode: workflow", "mode: advanced-chat"))

    shown = await at_a_terminal("diff", "old.yml", "new.yml", cwd=tmp_path, **variables)

    assert b"advanced-chat" in shown
    assert (COLOUR in shown) is coloured


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("keyturn sn", {"snapshot"}), ("keyturn log s", {"support-triage@prod"})],
)
async def test_the_shell_completes_commands_and_apps(
    tmp_path: Path, typed: str, offered: set[str]
) -> None:
    variables = {
        "KEYTURN_CONFIG": str(ROOT / "deploy/keyturn.example.toml"),
        "_KEYTURN_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }

    told = await keyturn(variables=variables, cwd=tmp_path)

    assert offered <= set(told.stdout.split())
