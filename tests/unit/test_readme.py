"""What the README says is what the program is."""

from __future__ import annotations

import re
from pathlib import Path

from bot.domain.approval import as_mermaid

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def between(name: str) -> str:
    _, _, rest = README.partition(f"<!-- {name}:start -->\n")
    inside, end, _ = rest.partition(f"<!-- {name}:end -->")
    assert end, f"the README has no part {name!r}"
    return inside


def test_the_state_chart_is_the_table_of_legal_moves() -> None:
    assert between("states") == f"```mermaid\n{as_mermaid()}\n```\n"


def test_both_commands_install_everything_by_themselves() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv run "

    assert f"{install}keyturn demo\n" in README
    assert f"{install}pytest" in between("test-command")


def test_every_file_that_is_linked_is_there() -> None:
    linked = {path for path in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in path}

    assert {path for path in linked if not (ROOT / path).exists()} == set()
