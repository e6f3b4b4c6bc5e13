"""What Keyturn is made of is locked by hash, runs on both kinds of machine, and is told truly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.supply import audit, bill, lock

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("otel", "kafka")  # those of the image
ALL = lock.in_production("x86_64", *EXTRAS)


def test_every_file_of_every_locked_package_has_its_hash() -> None:
    unsure = {
        package.name
        for package in lock.packages()
        if not package.hashes or not all(re.match(r"sha256:\w{64}$", h) for h in package.hashes)
    }

    assert len(lock.packages()) > len(ALL) > 50
    assert unsure == set()


@pytest.mark.parametrize("machine", lock.MACHINES)
def test_what_runs_in_production_is_built_for_both_machines_of_the_image(machine: str) -> None:
    needed = lock.in_production(machine, *EXTRAS)

    assert [name for name, package in needed.items() if not package.runs_on(machine)] == []


def test_a_wheel_for_another_machine_is_not_one_for_this() -> None:
    package = lock.Package("x", "1", ("x-1-cp311-cp311-manylinux_2_28_x86_64.whl",), ())

    assert package.runs_on("x86_64")
    assert not package.runs_on("aarch64")


@pytest.mark.parametrize("name", ["opentelemetry-sdk", "aiokafka"])
def test_what_few_need_is_needed_by_an_extra_alone(name: str) -> None:
    assert name in ALL
    assert name not in lock.in_production("x86_64")


# -- the audit --------------------------------------------------------------------------------


def said(*found: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(found), "fixes": []})


CLEAN = {"name": "aiohttp", "version": "3", "vulns": []}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}
BAD = {"name": "numpy", "version": "2", "vulns": [{"id": "PYSEC-2026-1"}, {"id": "PYSEC-2026-2"}]}


@pytest.mark.parametrize(
    ("output", "errors", "sentence"),
    [
        (said(CLEAN), "", "1 packages audited, nothing known"),
        (said(SKIPPED), "", "not audited: advisory database unreachable"),
        ("", "… Max retries exceeded …", "not audited: advisory database unreachable"),
        ("", "… 502 Server Error: Bad Gateway …", "not audited: advisory database unreachable"),
        (said(CLEAN, SKIPPED), "", "1 packages audited, nothing known; not audited: jinja2"),
        (said(CLEAN, BAD), "", "vulnerable: numpy: PYSEC-2026-1, PYSEC-2026-2"),
    ],
)
def test_what_was_not_audited_never_passes_for_safe(
    output: str, errors: str, sentence: str
) -> None:
    assert audit.read(output, errors).sentence == sentence


def test_an_audit_that_fails_by_itself_is_a_failure() -> None:
    with pytest.raises(ValueError, match="no such file"):
        audit.read("", "ERROR: no such file")


# -- the bill of materials --------------------------------------------------------------------


def a_bill(**versions: str) -> str:
    parts = {**{name: package.version for name, package in ALL.items()}, **versions}
    return json.dumps(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": {"type": "application", "name": "keyturn"}},
            "components": [
                {"type": "library", "name": name, "version": version}
                for name, version in parts.items()
                if version
            ],
        }
    )


def test_a_bill_that_lists_what_is_locked_has_no_flaw() -> None:
    assert bill.flaws(a_bill(pip="26"), ALL) == []


def test_a_bill_is_wrong_when_something_is_missing_other_or_too_much() -> None:
    found = bill.flaws(a_bill(aiohttp="0.1", jinja2="", surprise="1"), ALL)

    assert [line.partition(" ")[0] for line in found] == ["aiohttp", "jinja2", "surprise"]


def test_what_is_not_cyclonedx_is_no_bill() -> None:
    (flaw,) = bill.flaws(a_bill().replace('"library"', '"a heap"'), ALL)

    assert flaw.startswith("not of the form")


def test_every_run_of_the_checks_audits_the_lock_and_checks_the_bill() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "-m tests.supply.audit" in steps
    assert "-m tests.supply.bill" in steps
