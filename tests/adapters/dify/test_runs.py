"""The log of runs: as recorded, as the local Dify shows it, and as nobody should send it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.dify import runs, wire
from bot.errors import AnswerUnreadable
from bot.playground.dify.releases import RELEASES
from bot.playground.dify.runs import Run
from bot.ports.target import RunResult
from tests.adapters.dify.recordings import VERSIONS, Names, body, differences, titled

_LOGS = Path(__file__).resolve().parents[2] / "payloads" / "dify_runs"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AT = datetime(2026, 11, 23, 23, 6, 22, 11221, tzinfo=UTC)


def recorded(version: str) -> Any:
    """The recorded answer of `GET …/workflow-app-logs`: one run of each of two versions."""
    return json.loads((_LOGS / f"{version}.json").read_text())


def an_entry(**changes: Any) -> dict[str, Any]:
    ran = {"version": "2026-11-23 23:06:22.011221", "status": "failed"}
    return {"id": "a", "workflow_run": ran, "created_at": 1795475187, **changes}


def counted(*entries: Any) -> tuple[RunResult, ...]:
    page = runs.page({"data": list(entries), "has_more": False})
    return runs.results(page.runs, since=LONG_AGO)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_ran_is_a_version_of_the_recorded_history(version: str) -> None:
    history = wire.version_page(body(titled("versions_list", version), version), mode="workflow")
    page = runs.page(recorded(version))

    found = runs.results(page.runs, since=LONG_AGO)

    published = sorted(one.published_at for one in history.versions)
    assert found == tuple(RunResult(at, succeeded=1, failed=0) for at in published)
    assert not page.has_more


@pytest.mark.parametrize("version", VERSIONS)
def test_the_local_dify_shows_a_run_as_it_was_recorded(version: str) -> None:
    (entry, _) = recorded(version)["data"]
    ours = Run(entry["workflow_run"]["version"], "succeeded", AT, RELEASES[version]).shown()
    for measured in ("elapsed_time", "finished_at"):
        ours["workflow_run"][measured] = entry["workflow_run"][measured]

    assert list(differences(entry, ours, Names({}))) == []


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "run",
        {},
        an_entry(workflow_run=None),
        an_entry(workflow_run=[]),
        an_entry(workflow_run={}),
        an_entry(workflow_run={"version": "draft", "status": "failed"}),
        an_entry(workflow_run={"version": 7, "status": "failed"}),
        an_entry(workflow_run={"version": "2026-11-23 23:06:22", "status": None}),
        an_entry(created_at=None),
        an_entry(created_at=True),
        an_entry(created_at=10**30),
        an_entry(id=""),
        an_entry(id=7),
    ],
)
def test_an_entry_that_cannot_be_read_takes_no_other_along(odd: Any) -> None:
    assert counted(odd, an_entry(id="b")) == (RunResult(AT, 0, 1),)


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": {}}, {"data": "x"}])
def test_an_answer_that_is_no_page_is_unreadable(answer: Any) -> None:
    with pytest.raises(AnswerUnreadable):
        runs.page(answer)


def test_a_page_that_does_not_say_that_there_is_more_is_the_last() -> None:
    assert not runs.page({"data": []}).has_more
    assert not runs.page({"data": [], "has_more": "yes"}).has_more
    assert runs.page({"data": [], "has_more": True}).has_more


def test_a_huge_page_of_one_version_is_one_count() -> None:
    many = [an_entry(id=str(number)) for number in range(20_000)]

    assert counted(*many) == (RunResult(AT, 0, 20_000),)


def test_what_ran_before_is_not_counted() -> None:
    page = runs.page({"data": [an_entry()], "has_more": False})
    later = page.runs[0].at + timedelta(seconds=1)

    assert runs.results(page.runs, since=page.runs[0].at) == (RunResult(AT, 0, 1),)
    assert runs.results(page.runs, since=later) == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_entry_without_any_of_its_fields_does_not_stop_the_reading(version: str) -> None:
    whole = recorded(version)["data"][0]
    for key in whole:
        less = copy.deepcopy(whole)
        del less[key]
        assert len(counted(less)) <= 1
