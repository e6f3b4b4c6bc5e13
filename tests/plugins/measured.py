"""Which lines the tests of a room run, in the same pass as all others: `KEYTURN_COVERAGE=FILE`.

The rooms that decide and remember are measured by their own unit and contract tests on SQLite.
Examples that hypothesis draws must not be what covers a line; nor are races measured, nor what is
played once for each call of an execution, nor long plays whose lines others cover: Python takes
more than twice as long where it is measured. Of a service's test with a table of cases the first
one is. Each worker leaves a FILE.* for `coverage combine`. What is imported is measured from the
beginning, so this comes first.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import coverage
import pytest

ROOMS = ("bot/domain", "bot/services", "store")
_FILE = os.environ.get("KEYTURN_COVERAGE", "")
_BY = tuple(
    f"tests/{room}/" for room in ("unit/domain", "unit/services", "unit/store", "contract/store")
)
_FIRST_CASES_OF = "tests/unit/services/"
_NOT_BY = (
    "tests/contract/store/test_two_processes.py",
    *(f"{_FIRST_CASES_OF}test_{play}" for play in ("carry_out", "settle", "storm", "take_over")),
)
_NOT_NAMED = ("postgres", "at_a_call", "any_call", "any_moment", "races")
_measuring = (
    coverage.Coverage(_FILE, data_suffix=True, branch=True, source=ROOMS) if _FILE else None
)
if _measuring is not None:
    _measuring.start()


def pytest_collection_finish() -> None:
    """Pause: everything of ours is imported."""
    if _measuring is not None:
        _measuring.stop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Go on for the tests that count."""
    if _measuring is None or not _counts(item):
        return (yield)
    _measuring.start()
    try:
        return (yield)
    finally:
        _measuring.stop()


def pytest_sessionfinish() -> None:
    """Leave what was seen."""
    if _measuring is not None:
        _measuring.save()


def _counts(item: pytest.Item) -> bool:
    name = item.nodeid
    return (
        name.startswith(_BY)
        and not name.startswith(_NOT_BY)
        and not any(part in name for part in _NOT_NAMED)
        and item.get_closest_marker("hypothesis") is None
        and (_is_first_case(item) or not name.startswith(_FIRST_CASES_OF))
    )


def _is_first_case(item: pytest.Item) -> bool:
    """Whether each of its parameters is the first of its table."""
    cases = getattr(item, "callspec", None)
    return cases is None or not any(cases.indices.values())
