"""A proof that takes hours is played in parts: they add up, and each says what it was played on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import running
from tests.proofs.running import Journal, Tally, run

CASES = 5


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(running, "RESULTS", tmp_path)
    monkeypatch.setattr(running, "migrate", lambda _: None)
    return tmp_path / "waves.json"


def play(monkeypatch: pytest.MonkeyPatch, *words: str, at_once: int, broken: str = "") -> int:
    """Play a part of a proof that gets through *at_once* cases before its time is over."""

    async def prove(_: str, __: argparse.Namespace, journal: Journal) -> Tally:
        tally = Tally()
        for case in range(journal.before, CASES):
            if tally.cases == at_once:
                tally.left = CASES - case
                break
            tally.add(f"end {case}", [broken] if broken else [])
        return tally

    monkeypatch.setattr("sys.argv", ["waves", "--keep", *words])
    return run("waves", "Waves.", prove, kinds=("sqlite",), in_parts=True)


def read(kept: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(kept.read_text())
    return result


def test_the_next_part_goes_on_behind_the_one_before(
    monkeypatch: pytest.MonkeyPatch, kept: Path
) -> None:
    assert play(monkeypatch, at_once=3) == 0
    first = read(kept)
    assert play(monkeypatch, at_once=3) == 0
    both = read(kept)

    assert (first["status"], first["databases"]["sqlite"]["cases"]) == ("unfinished", 3)
    assert both["status"] == "held"
    assert both["databases"]["sqlite"]["ends"] == {f"end {n}": 1 for n in range(CASES)}
    assert [part["databases"]["sqlite"]["cases"] for part in both["parts"]] == [3, 2]
    assert all(part["commit"] for part in both["parts"])


def test_a_promise_that_broke_in_one_part_broke(
    monkeypatch: pytest.MonkeyPatch, kept: Path
) -> None:
    assert play(monkeypatch, at_once=3, broken="two publishes") == 1

    assert read(kept)["status"] == "broken"


@pytest.mark.parametrize("words", [["--seed", "2"], []])
def test_another_seed_and_what_is_finished_begin_anew(
    monkeypatch: pytest.MonkeyPatch, kept: Path, words: list[str]
) -> None:
    play(monkeypatch, at_once=3 if words else CASES)

    play(monkeypatch, *words, at_once=2)

    assert read(kept)["databases"]["sqlite"]["cases"] == 2
