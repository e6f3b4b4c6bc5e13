"""`keyturn replay`: recorded incidents decided again, counted, and told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli.main import program
from tests.unit.domain.verdict.stage import errors_jump

RUN = CliRunner()


def a_record(**changes: Any) -> dict[str, Any]:
    """A bad publish six minutes before the alert, and its truth."""
    version = {"app": "faq-bot", "env": "prod", "how": "publish", "change_kinds": ["prompt"]}
    facts: dict[str, Any] = {
        "id": "one",
        "kind": "bad_change",
        "t0": "2026-11-24T06:00:00Z",
        "step_s": 60,
        "decision_at": "2026-11-24T12:00:30Z",
        "apps": [{"app": "faq-bot", "envs": ["prod"], "depends_on": [], "upstreams": []}],
        "versions": [
            version | {"version": 1, "published_at": "2026-11-20T12:00:00Z", "content_hash": "a"},
            version | {"version": 2, "published_at": "2026-11-24T11:53:00Z", "content_hash": "b"},
        ],
        "alerts": [
            {
                "labels": {"alertname": "HighErrorRate", "app": "faq-bot", "env": "prod"},
                "startsAt": "2026-11-24T12:00:00Z",
                "endsAt": None,
                "trigger": True,
            }
        ],
        "series": {"faq-bot/prod/error_ratio": list(errors_jump().values)},
        "truth": {
            "culprit_version": "faq-bot/prod@2",
            "target_version": "faq-bot/prod@1",
            "app": "faq-bot",
            "env": "prod",
            "acceptable_content_hash": "a",
        },
    }
    return facts | changes


def written(path: Path, *records: dict[str, Any] | str) -> str:
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def replay(*words: str) -> Result:
    return RUN.invoke(program(["replay"]), ["replay", *words])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "incidents.jsonl"


def test_the_figures_are_one_json_object(file: Path) -> None:
    silent = a_record(id="two", kind="drift", truth={"target_version": None}, versions=[])
    told = json.loads(replay(written(file, a_record(), silent), "--json").stdout)

    assert {name: told[name] for name in ("precision", "recall", "top1", "false_rollbacks")} == {
        "precision": 1.0,
        "recall": 1.0,
        "top1": 1.0,
        "false_rollbacks": 0.0,
    }
    assert (told["n"], told["not_scored"]) == (2, 0)
    assert told["by_kind"]["bad_change"]["right"] == 1
    low, high = told["intervals"]["top1"]
    assert 0.3 < low < high == 1.0


def test_each_decision_is_written_with_its_reasons(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.jsonl"
    assert replay(written(file, a_record()), "--json", "--out", str(out)).exit_code == 0

    decision = json.loads(out.read_text(encoding="utf-8"))
    assert decision["target"] == "faq-bot/prod@1"
    assert decision["culprit"] == "faq-bot/prod@2"
    assert decision["confidence"] > 0.9
    assert any(reason.startswith("The share of errors rose from") for reason in decision["reasons"])
    assert not any("<!date" in reason or "`" in reason for reason in decision["reasons"])


def test_the_runs_of_each_version_are_weighed(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.jsonl"
    runs = {"faq-bot/prod": {"1": [198, 2], "2": [9, 31]}, "elsewhere/prod": {}}

    replay(written(file, a_record(runs=runs)), "--json", "--out", str(out))

    reasons = json.loads(out.read_text(encoding="utf-8"))["reasons"]
    assert "Of 40 runs of faq-bot@prod v2, 31 failed; of 200 before it, 2 did." in reasons


def test_an_incident_without_a_truth_is_decided_and_not_scored(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "decisions.jsonl"
    record = a_record()
    del record["truth"]

    told = json.loads(replay(written(file, record), "--json", "--out", str(out)).stdout)

    assert (told["n"], told["not_scored"], told["precision"]) == (0, 1, None)
    assert json.loads(out.read_text(encoding="utf-8"))["target"] == "faq-bot/prod@1"


def test_what_it_does_not_know_is_passed_over(file: Path) -> None:
    record = a_record(weather="rain", step_s=30)
    record["series"] |= {"faq-bot/prod/mood": [1.0], "odd": [None], "x/y/z/error_ratio": []}
    record["versions"][1] |= {"change_kinds": ["tarot"], "author": "ann"}

    assert replay(written(file, record), "--json").exit_code == 0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"alerts": []}, "$.alerts"),
        ({"step_s": 0}, "$.step_s"),
        ({"t0": None}, "$.t0"),
        ({"decision_at": "2026-11-24T12:00:30"}, "$.decision_at"),
        ({"decision_at": 7}, "$.decision_at"),
        ({"versions": [{"app": "a"}]}, "$.versions[0]"),
        ({"series": {"a/b/error_ratio": [0.0] * 20_001}}, "error_ratio"),
        ({"runs": {"faq-bot/prod": {"two": [1, 2]}}}, "['two']"),
        ({"runs": {"faq-bot/prod": {"2": [1, -2]}}}, "['2']"),
        ({"runs": {"faq-bot/prod": {"2": [1, 1_000_001]}}}, "['2']"),
        ({"runs": {"faq-bot/prod": {"2": [1]}}}, "$.runs"),
    ],
)
def test_a_line_that_is_no_incident_is_refused_with_its_place(
    file: Path, change: dict[str, Any], place: str
) -> None:
    result = replay(written(file, a_record(), a_record(**change)))

    assert result.exit_code == 2
    assert "line 2: " in result.stderr
    assert place in result.stderr


@pytest.mark.parametrize("line", ["{", "[]", "null", "[" * 100_000, b"\xff\xfe{"])
def test_what_is_no_json_object_is_refused(file: Path, line: str | bytes) -> None:
    file.write_bytes(line if isinstance(line, bytes) else line.encode())

    result = replay(str(file))

    assert (result.exit_code, "line 1: " in result.stderr) == (2, True)


def test_a_packed_file_is_read_whatever_its_name(file: Path) -> None:
    file.write_bytes(gzip.compress(json.dumps(a_record()).encode()))

    assert json.loads(replay(str(file), "--json").stdout)["n"] == 1


@pytest.mark.parametrize("content", [None, b"\x1f\x8b broken"])
def test_a_file_that_cannot_be_read_is_said(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)

    result = replay(str(file))

    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)


def test_people_read_a_table_and_why_something_was_wrong(file: Path) -> None:
    wrong = a_record(id="odd", truth={"target_version": None})
    shown = replay(written(file, wrong), "--wrong").stdout

    assert "false rollbacks" in shown
    assert "odd bad_change: said faq-bot/prod@1" in shown
    assert "  - The share of errors rose from" in shown


def test_charts_are_drawn_of_what_was_wrong(file: Path, tmp_path: Path) -> None:
    wrong = a_record(id="../odd", truth={"target_version": None})
    folder = tmp_path / "charts"

    assert (
        replay(written(file, a_record(), wrong), "--wrong", "--charts", str(folder)).exit_code == 0
    )

    (drawn,) = folder.iterdir()
    assert drawn.name == ".._odd.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
