"""What `uv.lock` says: which packages run in production, their files, and for which machines."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
OURS = "keyturn"
PYTHON = (3, 11)
MACHINES = ("x86_64", "aarch64")
_Needed = dict[str, Any]  # as one package names another: name, version, extra, marker
_GLIBC = range(17, 37)  # of the image's Debian and everything before it; 17 is manylinux2014


@dataclass(frozen=True)
class Package:
    """One locked package with its files."""

    name: str
    version: str
    wheels: tuple[str, ...]
    hashes: tuple[str, ...]

    def runs_on(self, machine: str) -> bool:
        """Whether one of its wheels can be installed on Linux on *machine*."""
        return any(_tags(machine) & parse_wheel_filename(wheel)[3] for wheel in self.wheels)


def packages() -> list[Package]:
    """Every locked package but ours; one may be there in several versions, for several Pythons."""
    return [_package(raw) for raw in _lock() if raw["name"] != OURS]


def in_production(machine: str, *extras: str) -> dict[str, Package]:
    """The packages that Keyturn with *extras* needs on Linux on *machine*, by name."""
    lock = _lock()
    wanted: list[tuple[_Needed, tuple[str, ...]]] = [({"name": OURS}, extras)]
    found: dict[str, Package] = {}
    while wanted:
        needed, of = wanted.pop()
        raw = _find(lock, needed)
        known = needed["name"] in found
        if needed["name"] != OURS:
            found[needed["name"]] = _package(raw)
        wanted += [
            (next_one, tuple(next_one.get("extra", ())))
            for next_one in _needs(raw, of, but_extras=known)
            if _applies(next_one.get("marker", ""), machine)
        ]
    return dict(sorted(found.items()))


def _find(lock: list[dict[str, Any]], needed: _Needed) -> dict[str, Any]:
    """The package that is *needed*; it names a version where there are several."""
    version = needed.get("version")
    return next(
        raw for raw in lock if raw["name"] == needed["name"] and version in {None, raw["version"]}
    )


def _lock() -> list[dict[str, Any]]:
    with (ROOT / "uv.lock").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["package"]
    return found


def _package(raw: Mapping[str, Any]) -> Package:
    files = [*raw.get("wheels", ()), *([raw["sdist"]] if "sdist" in raw else [])]
    return Package(
        raw["name"],
        raw["version"],
        tuple(wheel["url"].rpartition("/")[2] for wheel in raw.get("wheels", ())),
        tuple(file.get("hash", "") for file in files),
    )


def _needs(
    raw: Mapping[str, Any], extras: tuple[str, ...], *, but_extras: bool
) -> Iterator[_Needed]:
    if not but_extras:
        yield from raw.get("dependencies", ())
    for extra in extras:
        yield from raw.get("optional-dependencies", {}).get(extra, ())


def _applies(marker: str, machine: str) -> bool:
    surroundings = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": machine,
        "python_version": "{}.{}".format(*PYTHON),
        "python_full_version": "{}.{}.0".format(*PYTHON),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return not marker or Marker(marker).evaluate(surroundings)


def _tags(machine: str) -> frozenset[Tag]:
    names = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    platforms += [f"{name}_{machine}" for name in names.values()]
    return frozenset(cpython_tags(PYTHON, platforms=platforms)) | frozenset(
        compatible_tags(PYTHON, "cp311", platforms)
    )
