"""Check a bill of materials: the schema's form, and that it names all that is installed.

    python -m tests.supply.bill FILE.json

FILE is what `cyclonedx-py environment` wrote of an installation from the lock. Exit 1 when it is
not CycloneDX, or when what it lists is not what is locked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply import lock

_TOOLS = {"pip", "setuptools", "wheel", "uv"}  # what an environment brings of its own
_EXTRAS = {"otel": "opentelemetry-sdk", "kafka": "aiokafka"}  # and a package of each alone


def flaws(text: str, expected: dict[str, lock.Package]) -> list[str]:
    """What is wrong with the bill; nothing when it is right."""
    bill: dict[str, Any] = json.loads(text)
    version = SchemaVersion.from_version(bill["specVersion"])
    said = JsonStrictValidator(version).validate_str(text)
    if said is not None:
        return [f"not of the form of CycloneDX {bill['specVersion']}: {said}"]
    listed = {
        part["name"].lower().replace("_", "-").replace(".", "-"): part.get("version", "")
        for part in bill.get("components", ())
    }
    wanted = {name: package.version for name, package in expected.items()}
    ours = bill.get("metadata", {}).get("component", {}).get("name")
    return [
        *([] if ours == lock.OURS else [f"it is of {ours!r}, not of {lock.OURS}"]),
        *(f"{name} {is_} is not in it" for name, is_ in wanted.items() if listed.get(name) != is_),
        *(f"{n} is not locked" for n in listed if n not in {*wanted, *_TOOLS, lock.OURS}),
    ]


def main(file: str) -> int:
    """Check and tell."""
    text = Path(file).read_text(encoding="utf-8")
    extras = [extra for extra, of_it in _EXTRAS.items() if f'"{of_it}"' in text]
    expected = lock.in_production("x86_64", *extras)
    found = flaws(text, expected)
    told = f"{len(expected)} packages, each as it is locked"
    print("\n".join(found) or told)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
