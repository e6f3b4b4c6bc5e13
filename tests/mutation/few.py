"""A pytest plugin that makes a mutant cheap: few examples, one migration, likely tests first.

mutmut forks a process for each mutant from one that has played the tests already, so what is
remembered here is remembered in all of them. What one of them finds out, the next reads in a file.
A mutant that never ends is known by one test that does not, not by the time of all of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from store.session import migrate

_BUSY_S, _WAITING_S = 20, 300  # of one test


class Templates:
    """Takes the place of what tests/plugins/databases.py makes once a run."""

    @pytest.fixture(scope="session")
    @classmethod
    def sqlite_template(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A migrated, empty SQLite file."""
        path = tmp_path_factory.mktemp("sqlite") / "template.db"
        path.write_bytes(_migrated())
        return path


class Likely:
    """Plays first the tests that failed last: mutants of one function fall to the same ones."""

    def __init__(self, failed: Path) -> None:
        self._failed = failed

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave those of which nothing is known in the order of the files."""
        known = self._failed.read_text().splitlines() if self._failed.exists() else []
        latest = {test: n for n, test in enumerate(dict.fromkeys(reversed(known)))}
        items.sort(key=lambda item: (latest.get(item.nodeid, len(latest)), item.nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what failed; the file is mutmut's own copy's."""
        if report.failed:
            with self._failed.open("a") as file:
                file.write(f"{report.nodeid}\n")


class Limits:
    """Ends the process as one that never ends when a test needs a hundred times what tests need."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """The processor's time does not run faster on a busy machine; who only waits uses none."""
        for timer, seconds in ((signal.ITIMER_PROF, _BUSY_S), (signal.ITIMER_REAL, _WAITING_S)):
            signal.setitimer(timer, seconds)
        try:
            return (yield)
        finally:
            for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
                signal.setitimer(timer, 0)


def _end(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGXCPU)  # what mutmut calls a timeout


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
    config.pluginmanager.register(Likely(config.rootpath / "failed.txt"))
    for sent in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(sent, _end)
    config.pluginmanager.register(Limits())
