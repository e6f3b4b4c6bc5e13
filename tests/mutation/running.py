"""mutmut, run in a copy of the checkout: it needs a table in pyproject.toml and leaves folders.

mutmut writes every mutant of a function beside it into one file, plays the tests once to learn
which runs through which function, and then forks for each mutant from a process that has
everything loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

from tests.mutation.modules import Module

ROOT = Path(__file__).resolve().parents[2]
NOT_PLAYED = "not checked"
NO_PROGRAM = "caught by type check"
CAUGHT = frozenset({"killed", "timeout", NO_PROGRAM})
_BIN = Path(sys.executable).parent
_MUTMUT = str(_BIN / "mutmut")
_TYPES = (  # each mutant of a method stands beside the others in its class
    *("mypy", "--output", "json", "--disable-error-code", "no-redef"),
    *("--no-warn-unused-ignores", "--no-warn-unreachable"),
)
_PYTEST = ("-p", "no:cacheprovider", "-p", "tests.mutation.few")
_SLOW = ("postgres", "at_a_call", "any_call", "any_moment", "races")  # played once for each call
# Of how long the tests take. mutmut's clock would go on after a mutant has ended, and then signal
# whoever has got its process id by then; `tests.mutation.few` has a clock for each test.
_NEVER = 100_000.0
_READ_BY_TESTS = ("templates", "README.md", "docs", "deploy")


class NotRun(Exception):
    """mutmut did not get as far as playing mutants; what it said is the text."""


def copied(folder: Path, module: Module) -> None:
    """Bring *folder* up to date with the checkout; what mutmut left there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = _output("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        here, there = ROOT / name, folder / name
        if not here.is_file() or (there.exists() and _same(here, there)):
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here, there)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + _table(module)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def _same(here: Path, there: Path) -> bool:
    return here.name == "pyproject.toml" or here.read_bytes() == there.read_bytes()


def _table(module: Module) -> str:
    """mutmut's settings; an array of JSON strings is one of TOML too."""
    return f"""
[tool.mutmut]
source_paths = ["bot", "store"]
only_mutate = {json.dumps(module.files)}
type_check_command = {json.dumps(() if module.sample else (*_TYPES, *module.files))}
also_copy = {json.dumps(_READ_BY_TESTS)}
pytest_add_cli_args = {json.dumps((*_PYTEST, "-k", " and ".join(f"not {k}" for k in _SLOW)))}
pytest_add_cli_args_test_selection = {json.dumps(module.tests)}
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = {_NEVER}
"""


def play(folder: Path, names: Sequence[str]) -> None:
    """Play the mutants of the copy in *folder*, those of *names* or all, one at a time.

    Raises:
        NotRun: The tests fail without a mutant, or no test runs through what is mutated.
    """
    done = subprocess.run(
        [_MUTMUT, "run", "--max-children", "1", *names],
        cwd=folder,
        env=_alone() | {"MYPY_CACHE_DIR": str(folder.parent / "types")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotRun((done.stdout + done.stderr)[-4_000:])


def outcomes(folder: Path) -> dict[str, str]:
    """Mutant → what became of it in mutmut's words: killed, survived, timeout, NOT_PLAYED …"""
    listed = _output(_MUTMUT, "results", "--all", "true", cwd=folder)
    pairs = (line.strip().rpartition(": ") for line in listed.splitlines() if ": " in line)
    return {name: outcome for name, _, outcome in pairs}


def change(folder: Path, mutant: str) -> tuple[str, str]:
    """(the lines as they are, the lines as *mutant* has them), each joined by spaces."""
    path = Path(*mutant.rpartition("__mutmut_")[0].split(".")[:-1]).with_suffix(".py")
    with contextlib.chdir(folder):
        shown = get_diff_for_mutant(mutant, path=path).splitlines()
    return _lines(shown, "-"), _lines(shown, "+")


def _lines(shown: Sequence[str], sign: str) -> str:
    changed = (line for line in shown if line.startswith(sign) and not line.startswith(sign * 3))
    return " ".join(line.removeprefix(sign).strip() for line in changed)


def commit() -> str:
    """The commit of the checkout; with a + where it differs from what is there."""
    looked_at = ("bot", "store", "tests", ":!tests/mutation/results")
    dirty = _output("git", "status", "--porcelain", "--", *looked_at, cwd=ROOT)
    return _output("git", "rev-parse", "HEAD", cwd=ROOT).strip() + ("+" if dirty else "")


def _alone() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "MUTANT_"))}
    path = f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _output(*command: str, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, env=_alone(), capture_output=True, text=True, check=True
    ).stdout
