"""How decisions do on 360 generated, labelled incidents; the goals are asked for, and said.

They were looked at while the rules were made; `docs/incidents.md` has figures on others too.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.domain.verdict.decide import decide
from bot.domain.verdict.recorded import Recorded, read
from bot.domain.verdict.score import Score
from tests.plugins.requirements import shared_path


def incidents() -> Iterator[Recorded]:
    with gzip.open(shared_path("data", "incidents", "scenarios.jsonl.gz")) as lines:
        yield from map(read, lines)


@functools.cache
def scored(*, measured: bool) -> Score:
    score = Score()
    for one in incidents():
        incident = one.incident if measured else replace(one.incident, series={})
        score.add(one, decide(incident).suggested)
    return score


def figures(score: Score) -> dict[str, float]:
    return {name: count.share or 0.0 for name, count in score.figures()}


def baselines() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(
        shared_path("data", "incidents", "baselines.json").read_text()
    )
    return found


def test_with_measurements_the_goals_are_met() -> None:
    found = figures(scored(measured=True))

    assert scored(measured=True).top1.all == 360
    assert found["precision"] >= 0.97
    assert found["recall"] >= 0.95
    assert found["top1"] >= 0.95
    assert found["false_rollbacks"] <= 0.03


def test_by_alerts_and_versions_alone_it_beats_the_naive_rules_and_is_silent_more_often() -> None:
    found, score = figures(scored(measured=False)), scored(measured=False)

    for name in ("previous version", "before startsAt minus one, <= 1 h"):
        naive = baselines()[name]
        assert found["precision"] > 2 * naive["precision"]
        assert found["top1"] > naive["top1"]
        assert found["false_rollbacks"] < naive["rolled_back_when_it_should_not"] / 2
        assert score.precision.all < naive["suggested"]


@pytest.mark.parametrize(
    "kind",
    [
        *("bad_change", "bad_then_benign", "bad_then_layout_only", "failed_hotfix"),
        *("bad_republished", "rollback_of_rollback", "startsat_reset_by_restart"),
        *("two_close_first", "two_close_second", "load_spike", "flapping", "predates_change"),
    ],
)
def test_what_the_metric_tells_clearly_is_always_right(kind: str) -> None:
    count = scored(measured=True).kinds()[kind]

    assert count.right == count.all > 0
