"""Each promise's test fails when the promise is broken: one planted mistake at a time."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.forks.process import run

ROOT = Path(__file__).resolve().parents[2]
PLANTED = sorted((ROOT / "tests" / "proofs" / "planted").glob("*.toml"))
LIMIT_S = 500  # one plays a storm, and others use the machine
LIBRARIES = (
    *("aiohttp", "aiohttp.test_utils", "aiosqlite", "alembic.command", "apscheduler", "asyncpg"),
    *("cryptography.fernet", "jinja2", "jsonschema", "msgspec", "orjson"),
    *("pydantic_settings", "pygments.lexers", "pytest", "rich.console"),
    *("slack_bolt.async_app", "slack_sdk.web.async_client", "sqlmodel", "structlog", "typer"),
    *("sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg", "uvloop", "yaml"),
)
_COPIED = ("bot", "store", "templates", "tests")


@dataclass(frozen=True)
class Mistake:
    """In *file*, *old* becomes *new*: then the promise test *fails* must."""

    file: str
    old: str
    new: str
    fails: str

    @contextmanager
    def made_in(self, tree: Path) -> Iterator[None]:
        """Make the mistake in *tree*, and mend it at the end."""
        path = tree / self.file
        sound = path.read_text(encoding="utf-8")
        assert sound.count(self.old) == 1, f"{self.file} has {self.old!r} {sound.count(self.old)}×"
        path.write_text(sound.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program and its tests, of this worker's own."""
    copy = tmp_path_factory.mktemp("planted")
    unwanted = shutil.ignore_patterns("*.pyc.*", ".*")
    for folder in _COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=unwanted)
    shutil.copy2(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize("file", PLANTED, ids=lambda path: path.stem)
def test_a_planted_mistake_is_seen_by_its_promise(file: Path, tree: Path, tmp_path: Path) -> None:
    mistake = Mistake(**tomllib.loads(file.read_text(encoding="utf-8")))

    with mistake.made_in(tree):
        messages = failures(mistake.fails, tree, tmp_path)

    assert messages, f"{mistake.fails} did not see it"
    assert all(message.startswith(("AssertionError", "assert ")) for message in messages), messages


def test_every_promise_has_a_planted_mistake() -> None:
    assert {int(path.stem[:2]) for path in PLANTED} == set(range(1, 11))


def failures(test: str, tree: Path, folder: Path) -> list[str]:
    """Run exactly *test* on *tree* in a process of its own; return why it failed.

    The copy comes first on the path, before an installed or linked project. The process has the
    libraries imported, and nothing of ours.
    """
    report = folder / "report.xml"
    ended = run(
        *("pytest", "-x", "-q", "-p", "no:cacheprovider"),
        *("--basetemp", str(folder / "temp"), f"--junitxml={report}"),
        f"tests/proofs/test_promises.py::{test}",
        env=_environment(tree),
        cwd=tree,
        within_s=LIMIT_S,
        prepared=LIBRARIES,
    )
    assert report.exists(), ended.stdout + ended.stderr
    suite = ElementTree.parse(report).getroot()
    for skipped in suite.iter("skipped"):
        pytest.skip(skipped.get("message", ""))
    broken = [error.get("message", "") for error in suite.iter("error")]
    assert not broken, broken
    return [failure.get("message", "") for failure in suite.iter("failure")]


def _environment(tree: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
