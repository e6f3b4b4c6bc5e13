"""Ask the advisory database about what is locked, and say plainly when it cannot be asked.

    python -m tests.supply.audit REQUIREMENTS

REQUIREMENTS is what `uv export` writes, with hashes. Exit 1 when something with a known
vulnerability is locked; 0 when nothing is known, and when nobody could be asked: then the last
line says "not audited", and which packages.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

_UNREACHABLE = re.compile(
    "ConnectionError|Max retries exceeded|ConnectTimeout|ReadTimeout|ProxyError"
    r"|ChunkedEncodingError|429 Client Error|5\d\d Server Error"
)


@dataclass(frozen=True)
class Audit:
    """What came of it: names with what is known of them, and those nobody could be asked about."""

    asked: int
    known: dict[str, list[str]]
    not_asked: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The last line."""
        if self.known:
            told = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in self.known.items())
            return f"vulnerable: {told}"
        if not self.asked:
            return "not audited: advisory database unreachable"
        if self.not_asked:
            some = ", ".join(self.not_asked)
            return f"{self.asked} packages audited, nothing known; not audited: {some}"
        return f"{self.asked} packages audited, nothing known"


def read(said: str, errors: str) -> Audit:
    """What pip-audit *said*.

    It ends well also when no database knew a single package, so what was skipped is counted.

    Raises:
        ValueError: It failed by something else than the network.
    """
    try:
        found: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        if _UNREACHABLE.search(errors):
            return Audit(0, {}, ())
        raise ValueError(errors[-2000:] or "pip-audit said nothing") from None
    skipped = tuple(one["name"] for one in found if "skip_reason" in one)
    known = {
        one["name"]: [vulnerability["id"] for vulnerability in one["vulns"]]
        for one in found
        if one.get("vulns")
    }
    return Audit(len(found) - len(skipped), known, skipped)


def main(requirements: str) -> int:
    """Audit and tell."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--requirement", requirements),
            *("--require-hashes", "--disable-pip", "--timeout", "15"),
            *("--progress-spinner", "off", "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    audit = read(done.stdout, done.stderr)
    print(audit.sentence)
    return 1 if audit.known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
