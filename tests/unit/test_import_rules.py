"""The import contracts hold, and each of them sees what it is there to see.

For every contract, violations are planted in a copy of the tree, one after the other, and the
linter must name exactly that contract. A contract that nobody has seen break proves nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("broken_contracts.py")
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
]

NO_BOT_IN_STORE = "The bot uses the store; the store never uses the bot"
BOT_GOES_DOWN = "Inside the bot, imports only go down, and every module has its step"
STORE_GOES_DOWN = "Inside the store, imports only go down, and every module has its step"
ROOT_ALONE = (
    "The bot sees records and documents; only the composition root sees the rest of the store"
)
TABLES_STAY = "Table classes never leave the store"
VALUES = "Records and documents are values: no database, no I/O, no clock, no dice"
STORE_ALONE = "The store can be used without the bot's libraries"
STRANGERS = "Outside systems do not know each other"
NO_IO = "Rules and use cases do no I/O"
PURE = "The domain has no clock, no dice, no files, no loop and no log"
OUTSIDE_WORLD = "The playground is the outside world: of ours it knows the Block Kit checker alone"
DEMO_ALONE = "Only the demo opens the playground"

IN_A_FUNCTION = "def planted():\n    import {}\n"
TYPE_CHECKING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"

# contract -> (file, what is written at its end); a file that is not there is made
PLANTED: dict[str, list[tuple[str, str]]] = {
    NO_BOT_IN_STORE: [
        ("store/slots.py", "import bot.errors"),
        ("store/outbox.py", IN_A_FUNCTION.format("bot.domain.words")),
        ("store/records/cases.py", TYPE_CHECKING.format("bot.errors")),
    ],
    BOT_GOES_DOWN: [
        ("bot/services/planted.py", "from bot import config"),
        ("bot/adapters/alertmanager/routes.py", "from bot import config"),
        ("bot/domain/planted.py", IN_A_FUNCTION.format("bot.ports.target")),
        ("bot/web.py", "import bot.jobs"),
        ("bot/services/planted.py", "import bot.render"),
        ("bot/log.py", "from . import errors"),
        ("bot/config/load.py", TYPE_CHECKING.format("bot.app")),
        ("bot/assembly/process.py", "import bot.app"),
        ("bot/config/load.py", "import bot.renewal.current"),
        ("bot/renewal/current.py", "from bot import app"),
        ("bot/unlisted.py", "ANSWER = 42"),
    ],
    STORE_GOES_DOWN: [
        ("store/engine.py", "import store.versions"),
        ("store/versions.py", "from store import cases"),
        ("store/types.py", IN_A_FUNCTION.format("store.tables")),
        ("store/records/cases.py", "from .. import canonical"),
        ("store/unlisted.py", "ANSWER = 42"),
    ],
    ROOT_ALONE: [
        ("bot/services/planted.py", "import store.rollbacks"),
        ("bot/web.py", "from store import engine"),
        ("bot/adapters/dify/planted.py", "from store import address"),
        ("bot/renewal/renewal.py", "from store import session"),
        ("bot/assembly/making.py", "from store import rollbacks"),
        ("bot/cli/planted.py", IN_A_FUNCTION.format("store.session")),
        ("bot/adapters/slack/planted.py", TYPE_CHECKING.format("store.inbox")),
    ],
    TABLES_STAY: [
        ("bot/app.py", "import store.tables"),
        ("bot/app.py", IN_A_FUNCTION.format("store.types")),
    ],
    VALUES: [
        ("store/records/cases.py", "import sqlmodel"),
        ("store/document.py", "import time"),
        ("store/parts.py", "from os import path"),
        ("store/meaning.py", IN_A_FUNCTION.format("random")),
        ("store/canonical.py", "import pathlib"),
    ],
    STORE_ALONE: [
        ("store/engine.py", "import aiohttp"),
        ("store/audit.py", IN_A_FUNCTION.format("jinja2")),
    ],
    STRANGERS: [
        ("bot/adapters/slack/planted.py", "import bot.adapters.alertmanager.wire"),
        ("bot/adapters/dify/planted.py", "from bot.adapters import slack"),
        ("bot/adapters/alertmanager/wire.py", "from ..dify import client"),
    ],
    NO_IO: [
        ("bot/services/planted.py", "import aiohttp"),
        ("bot/ports/target.py", TYPE_CHECKING.format("sqlalchemy")),
        ("bot/errors/base.py", IN_A_FUNCTION.format("slack_sdk")),
    ],
    PURE: [
        ("bot/domain/planted.py", "import random"),
        ("bot/domain/planted.py", "import os.path"),
        ("bot/domain/planted.py", "from bot import log"),
        ("bot/domain/planted.py", IN_A_FUNCTION.format("asyncio")),
        ("bot/domain/planted.py", "from time import monotonic"),
    ],
    OUTSIDE_WORLD: [
        ("bot/playground/planted.py", "import bot.errors"),
        ("bot/playground/planted.py", "from store import records"),
        ("bot/playground/planted.py", IN_A_FUNCTION.format("bot.domain.words")),
    ],
    DEMO_ALONE: [
        ("bot/app.py", "import bot.playground.slack"),
        ("bot/app.py", IN_A_FUNCTION.format("bot.playground.dify")),
    ],
}

# What else breaks, because an import is wrong twice or is reached through what others may use.
ALSO: dict[tuple[str, str], set[str]] = {
    ("store/records/cases.py", "import sqlmodel"): {NO_IO},
    ("store/document.py", "import time"): {PURE},
    ("store/parts.py", "from os import path"): {PURE},
    ("store/meaning.py", IN_A_FUNCTION.format("random")): {PURE},
    ("store/canonical.py", "import pathlib"): {PURE},
    ("bot/services/planted.py", "import bot.render"): {NO_IO},
    ("bot/services/planted.py", "import store.rollbacks"): {NO_IO},
    ("bot/app.py", "import bot.playground.slack"): {BOT_GOES_DOWN},
    ("bot/app.py", IN_A_FUNCTION.format("bot.playground.dify")): {BOT_GOES_DOWN},
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of both packages and of the contracts."""
    for package in ("bot", "store"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def judged(tree: Path, plan: list[tuple[str, str]]) -> list[set[str]]:
    """For each planting, the contracts that it breaks."""
    done = subprocess.run(
        [sys.executable, str(RUNNER)],
        cwd=tree,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout)]


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    assert judged(tree, [("bot/__init__.py", "")]) == [set()]


def test_violations_are_planted_for_every_contract() -> None:
    assert list(PLANTED) == CONTRACTS


@pytest.mark.parametrize("contract", CONTRACTS)
def test_each_planted_violation_breaks_its_contract(tree: Path, contract: str) -> None:
    planted = PLANTED[contract]

    found = judged(tree, planted)

    expected = {plant: {contract} | ALSO.get(plant, set()) for plant in planted}
    assert dict(zip(planted, found, strict=True)) == expected
