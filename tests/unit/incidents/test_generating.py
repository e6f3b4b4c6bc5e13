"""Which incidents come out: reproducible, of all kinds, in the shares of the mix."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.incidents.generating import generate, kind_of, one
from tests.incidents.kinds import KINDS, Mix
from tests.unit.incidents.examples import example

NEVER = {  # kinds after which nothing must be rolled back
    "already_gone", "first_version_bad", "unknowable", "upstream_brownout", "load_spike",
    "saturation", "noisy_neighbour", "config_drift", "platform_fault", "dependency_break",
    "flapping_threshold",
}  # fmt: skip


def test_the_same_seed_gives_the_same_records() -> None:
    assert list(generate(2, 7, Mix.NATURAL)) == list(generate(2, 7, Mix.NATURAL))


def test_a_record_does_not_depend_on_how_many_are_made() -> None:
    assert list(generate(2, 7, Mix.NATURAL))[1] == one(7, 1, Mix.NATURAL)


def test_another_seed_and_another_mix_give_other_records() -> None:
    record = one(7, 1, Mix.NATURAL, "bad_change")

    assert record["series"] != one(8, 1, Mix.NATURAL, "bad_change")["series"]
    assert record["series"] != one(7, 1, Mix.HARD, "bad_change")["series"]


@pytest.mark.parametrize("mix", Mix)
def test_every_kind_occurs_about_as_often_as_it_weighs(mix: Mix) -> None:
    count = 4000
    drawn = Counter(kind_of(3, index, mix) for index in range(count))
    total = sum(kind.weight(mix) for kind in KINDS.values())

    for name, kind in KINDS.items():
        assert drawn[name] / count == pytest.approx(kind.weight(mix) / total, abs=0.012)


def test_a_third_of_the_hard_mix_must_not_be_rolled_back() -> None:
    never = sum(KINDS[name].hard for name in NEVER)

    assert 0.3 < never / sum(kind.hard for kind in KINDS.values()) < 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made(kind: str) -> None:
    assert example(kind)["kind"] == kind


@pytest.mark.parametrize("kind", sorted(NEVER))
def test_some_kinds_never_have_a_target(kind: str) -> None:
    assert example(kind)["truth"]["target_version"] is None


def test_the_command_writes_a_record_a_line_and_counts_the_kinds(tmp_path: Path) -> None:
    out = tmp_path / "incidents.jsonl.gz"
    command = [sys.executable, "-m", "tests.incidents", "--count", "2", "--seed", "7"]
    ran = subprocess.run([*command, "--out", out], capture_output=True, text=True, check=True)

    with gzip.open(out, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    assert records == list(generate(2, 7, Mix.NATURAL))
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["kinds"] == dict(sorted(Counter(r["kind"] for r in records).items()))
    assert ran.stderr == ""
