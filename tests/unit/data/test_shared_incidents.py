"""How the rule for a candidate does on 360 generated, labelled incidents; it prints its score.

The rule sees what it will see in service: the history of the app that the alert names, and the
start of that alert. It reads no metric, so what it cannot know (which of two changes, whether the
trouble is older) it mostly gets wrong; the bounds here are below its score, not a goal.
"""

from __future__ import annotations

import functools
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.candidate import Choice, choose
from store.records import AppEnv, Version, VersionKind, VersionSource
from tests.plugins.requirements import shared_path

FOR, LOOKBACK = timedelta(minutes=5), timedelta(hours=1)  # the defaults of keyturn.toml


@dataclass
class Score:
    """Counts over all incidents; a suggestion is right when its content is the labelled one."""

    all_by_kind: Counter[str]
    right_by_kind: Counter[str]
    suggested: int = 0
    suggested_right: int = 0
    with_target: int = 0
    rolled_back_falsely: int = 0

    @property
    def precision(self) -> float:
        return self.suggested_right / self.suggested

    @property
    def recall(self) -> float:
        return self.suggested_right / self.with_target

    @property
    def top1(self) -> float:
        return self.right_by_kind.total() / self.all_by_kind.total()

    @property
    def false_rollbacks(self) -> float:
        return self.rolled_back_falsely / (self.all_by_kind.total() - self.with_target)


def incidents() -> Iterator[dict[str, Any]]:
    path = shared_path("data", "incidents", "scenarios.jsonl.gz")
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


def history(incident: dict[str, Any], where: AppEnv) -> list[Version]:
    versions: list[Version] = []
    for told in incident["versions"]:
        if (told["app"], told["env"]) != (where.app, where.env):
            continue
        only_layout = told["change_kinds"] == ["layout only"] and versions
        at = datetime.fromisoformat(told["published_at"])
        versions.append(
            Version(
                id=told["version"],
                where=where,
                number=told["version"],
                kind=VersionKind.PUBLISHED,
                source=VersionSource.PUBLISHED,
                root=told["content_hash"],
                meaning=versions[-1].meaning if only_layout else told["content_hash"],
                external_id=str(told["version"]),
                external_hash="",
                published_at=at,
                recorded_at=at,
            )
        )
    return versions


def chosen(incident: dict[str, Any]) -> tuple[AppEnv, Choice]:
    (alert,) = (alert for alert in incident["alerts"] if alert["trigger"])
    where = AppEnv(alert["labels"]["app"], alert["labels"]["env"])
    versions = history(incident, where)
    choice = choose(
        versions,
        live=versions[-1],
        condemned=frozenset(),
        earliest_starts_at=datetime.fromisoformat(alert["startsAt"]),
        waited=FOR,
        lookback=LOOKBACK,
    )
    return where, choice


@functools.cache
def scored() -> Score:
    score = Score(Counter(), Counter())
    for incident in incidents():
        where, choice = chosen(incident)
        truth = incident["truth"]
        label = (truth["app"], truth["env"], truth["acceptable_content_hash"])
        wanted = label if truth["target_version"] else None
        given = (where.app, where.env, choice.candidate.root) if choice.candidate else None
        score.all_by_kind[incident["kind"]] += 1
        score.right_by_kind[incident["kind"]] += given == wanted
        score.suggested += given is not None
        score.suggested_right += given is not None and given == wanted
        score.with_target += wanted is not None
        score.rolled_back_falsely += given is not None and wanted is None
    return score


def _told(name: str, *figures: float | None) -> str:
    return f"{name:34}" + "".join(f"{'–' if f is None else format(f, '.3f'):>11}" for f in figures)


def test_the_rule_s_score_on_the_sample_incidents(capsys: pytest.CaptureFixture[str]) -> None:
    score = scored()
    baselines = json.loads(shared_path("data", "incidents", "baselines.json").read_text())

    with capsys.disabled():
        heads = "".join(f"{head:>11}" for head in ("precision", "recall", "top-1", "false rb"))
        print(f"\n{'':34}{heads}")
        figures = (score.precision, score.recall, score.top1, score.false_rollbacks)
        print(_told("this rule", *figures))
        for name, line in baselines.items():
            keys = ("precision", "recall", "top1", "rolled_back_when_it_should_not")
            print(_told(name, *(line[key] for key in keys)))
        for kind, total in sorted(score.all_by_kind.items()):
            print(f"  {kind}: {score.right_by_kind[kind]}/{total}")

    assert score.all_by_kind.total() == 360
    assert score.precision >= 0.34
    assert score.recall >= 0.42
    assert score.top1 >= 0.36
    assert score.false_rollbacks <= 0.78


@pytest.mark.parametrize(
    "kind", ["bad_change", "bad_republished", "bad_then_layout_only", "staging_only"]
)
def test_where_the_history_alone_tells_the_rule_is_always_right(kind: str) -> None:
    score = scored()

    assert score.right_by_kind[kind] == score.all_by_kind[kind] > 0


def test_the_rule_beats_the_naive_ones() -> None:
    score = scored()
    baselines = json.loads(shared_path("data", "incidents", "baselines.json").read_text())

    for name in ("previous version", "before startsAt minus one, <= 1 h"):
        assert score.precision > baselines[name]["precision"]
        assert score.recall > baselines[name]["recall"]
        assert score.top1 > baselines[name]["top1"]
