"""A pytest plugin that makes a mutant cheap: few examples, and one migration for all.

mutmut forks a process for each mutant from one that has played the tests already, so what is
remembered here is remembered in all of them.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from store.session import migrate


class Templates:
    """Takes the place of what tests/plugins/databases.py makes once a run."""

    @pytest.fixture(scope="session")
    @classmethod
    def sqlite_template(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A migrated, empty SQLite file."""
        path = tmp_path_factory.mktemp("sqlite") / "template.db"
        path.write_bytes(_migrated())
        return path


@cache
def _migrated() -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="keyturn-template-"))
    try:
        migrate(f"sqlite:///{folder / 'template.db'}")
        return (folder / "template.db").read_bytes()
    finally:
        shutil.rmtree(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Come after tests/plugins, whose profile and template these replace."""
    settings.register_profile(
        "mutants", settings.get_profile("keyturn"), max_examples=25, derandomize=True, database=None
    )
    settings.load_profile("mutants")
    config.pluginmanager.register(Templates())
