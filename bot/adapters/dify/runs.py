"""Dify's log of an app's runs: which published version ran, and how that ended. Pure.

The form is that of `GET /apps/{id}/workflow-app-logs` as recorded from servers of 1.7.2, 1.10.1
and 1.14.2, where `workflow_run.version` is the version's name: its time of publishing. An entry
that cannot be read is passed over, since it says nothing about the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.dify import wire
from bot.adapters.dify.shapes import filled, items, mapping, moment, text
from bot.errors import AnswerUnreadable
from bot.ports.target import RunResult
from store.records import Json

# api/controllers/console/app/workflow_app_log.py: the route refuses every other mode.
MODES = frozenset({"workflow"})
_SUCCEEDED = frozenset({"succeeded", "partial-succeeded"})
_FAILED = "failed"


@dataclass(frozen=True)
class Run:
    """One entry of the log, written at *at*; `ok` is None for a run that did neither."""

    id: str
    at: datetime
    published_at: datetime
    ok: bool | None


@dataclass(frozen=True)
class RunPage:
    """One page of the log, newest first."""

    runs: tuple[Run, ...]
    has_more: bool


def page(answer: Json) -> RunPage:
    """Read an answer of `GET …/workflow-app-logs`."""
    found = (_run(item) for item in items(answer, "data", "runs"))
    has_more = mapping(answer, "runs").get("has_more") is True
    return RunPage(tuple(run for run in found if run is not None), has_more)


def _run(entry: Json) -> Run | None:
    """None for an entry without a run, of no published version, or of another form."""
    try:
        ran = mapping(entry, "run").get("workflow_run")
        published_at = wire.version_time(text(ran, "version", "run"))
        if published_at is None:
            return None
        ended = _ended(text(ran, "status", "run"))
        return Run(filled(entry, "id", "run"), moment(entry, "created_at", "run"),
                   published_at, ended)  # fmt: skip
    except AnswerUnreadable:
        return None


def _ended(status: str) -> bool | None:
    if status in _SUCCEEDED:
        return True
    return False if status == _FAILED else None


def results(runs: Sequence[Run], *, since: datetime) -> tuple[RunResult, ...]:
    """Count *runs* from *since* on by version, oldest version first."""
    ended = Counter((r.published_at, r.ok) for r in runs if r.at >= since and r.ok is not None)
    versions = sorted({published_at for published_at, _ in ended})
    return tuple(RunResult(at, ended[at, True], ended[at, False]) for at in versions)
