"""What a test needs beside the checkout: it skips with its reason, or fails where all is required.

`KEYTURN_REQUIRE=all` turns every skip into a failure, except for the tests that
`tests/allowed_skips.txt` names (one node id prefix a line, with the reason behind a `#`).
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_ALLOWED = _ROOT / "tests" / "allowed_skips.txt"


def shared_path(*parts: str) -> Path:
    """Return a path of the shared sample data, or skip the test when it is not there."""
    path = _ROOT.parent.joinpath("shared", *parts)
    if not path.exists():
        pytest.skip(f"the sample data is not here: {'/'.join(parts)}")
    return path


def _allowed() -> tuple[str, ...]:
    lines = _ALLOWED.read_text().splitlines() if _ALLOWED.exists() else []
    return tuple(name for line in lines if (name := line.partition("#")[0].strip()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where everything is required."""
    report = yield
    if report.skipped and os.environ.get("KEYTURN_REQUIRE") == "all":
        expected_failure = hasattr(report, "wasxfail")
        if not expected_failure and not item.nodeid.startswith(_allowed() or ("\0",)):
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid} was skipped but everything is required: {report.longrepr}"
            )
    return report
