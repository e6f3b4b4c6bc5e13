"""Run beside a copy of the tree: which import contracts does each planted text break?

Reads `[[path, text], …]` as JSON on stdin; each text is added to its file (made when it is not
there), judged, and taken out again. Writes one list of broken contracts for each. A process of
its own, because the linter finds packages by importing them by name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from importlinter import configuration
from importlinter.application import use_cases
from importlinter.application.output import console


def broken() -> list[str]:
    """Names of the contracts that the tree in the working directory breaks."""
    options = use_cases.read_user_options("pyproject.toml")
    use_cases._register_contract_types(options)
    report = use_cases.create_report(options, cache_dir=None)
    invalid = [f"{name}: {error}" for name, error in report.invalid_contract_options.items()]
    return invalid + [c.name for c, check in report.get_contracts_and_checks() if not check.kept]


def broken_by(path: Path, text: str) -> list[str]:
    """What breaks while *text* stands at the end of *path*."""
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{text}\n")
    try:
        return broken()
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


if __name__ == "__main__":
    sys.path.insert(0, ".")
    console.quiet = True
    configuration.configure()
    plan = json.load(sys.stdin)
    json.dump([broken_by(Path(path), text) for path, text in plan], sys.stdout)
