"""What was measured around an alert, asked of Prometheus; implements `bot.ports.evidence.LookBack`.

A query should bring one series. Of several, one alone may be meant, and nobody can say which: the
query is not used, and the place is said to miss it. A query that brings none is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from bot.adapters.prometheus import behind, history
from bot.adapters.prometheus.client import Prometheus
from bot.adapters.prometheus.expression import measured_side
from bot.adapters.prometheus.questions import LOOKBACK, STEP, TIMEOUT, WHOLE, Question, Questions
from bot.adapters.prometheus.wire import SYSTEM, Rule, Track, Window
from bot.domain.naming import LabelMap
from bot.domain.verdict.incident import Alert, Series
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.evidence import Measured
from store.records import AppEnv, Firing

_SAID = 600  # characters about one place
_FAILURES = (UpstreamDown, UpstreamRefused)
Failure = UpstreamDown | UpstreamRefused

T = TypeVar("T")


@dataclass(frozen=True)
class Behind:
    """What the rule behind an alert tells; `missing` says why its series is not there."""

    waited: timedelta | None = None
    smeared: timedelta = timedelta()
    series: Series | None = None
    missing: str = ""


@dataclass(frozen=True)
class Answered:
    """What came of one question: a series, `failure`, or how many series there were instead."""

    question: Question
    series: Series | None = None
    count: int = 0
    failure: Failure | None = None

    @property
    def missing(self) -> str:
        """Why there is no series although there may be measurements; "" where there is nothing."""
        if self.failure is not None:
            return f"{self.question.key}: {self.failure}"
        if self.count > 1:
            return f"{self.question.key}: {self.count} series, one is needed; aggregate with sum()"
        return ""


class PrometheusLookBack:
    """Reads series and alerts from one Prometheus."""

    def __init__(
        self,
        server: Prometheus,
        questions: Questions,
        *,
        labels: LabelMap,
        known: Collection[AppEnv],
        step: timedelta = STEP,
        lookback: timedelta = LOOKBACK,
        patience: timedelta = WHOLE * TIMEOUT,
    ) -> None:
        """Ask *server*; it is closed with this.

        Args:
            server: The Prometheus.
            questions: What is asked of each place.
            labels: Which labels of an alert name its place.
            known: The places whose alerts are looked at.
            step: The time between two samples.
            lookback: How long before `until` is looked at, however early `since` is.
            patience: For all questions of one look-back together; what has not come by then is
                missing.
        """
        self._server = server
        self._questions = questions
        self._labels = labels
        self._known = known
        self._step = step
        self._lookback = lookback
        self._patience = patience

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._server.close()

    async def __call__(
        self, firing: Firing, places: Sequence[AppEnv], *, since: datetime, until: datetime
    ) -> Measured:
        """See `bot.ports.evidence.LookBack`."""
        window = Window.between(max(since, until - self._lookback), until, self._step)
        if not places or not window.count:
            return Measured()
        questions = self._about(places)
        rule = asyncio.create_task(self._behind(firing, window))
        alerts = asyncio.create_task(self._alerts(window))
        asked = self._ask(questions, window)
        await _within(self._patience, [rule, alerts, *asked.values()])
        told, before = _outcome(rule), _outcome(alerts)
        answers = [_answered(question, task) for question, task in asked.items()]
        ends: list[object] = [told, before, *(answer.failure for answer in answers)]
        failures = [end for end in ends if isinstance(end, _FAILURES)]
        if len(failures) == len(ends):
            raise UpstreamDown(SYSTEM, _detail(failures[0])) from failures[0]
        return _measured(places[0], told, before, answers)

    async def examine(self, places: Iterable[AppEnv], *, until: datetime) -> list[Answered]:
        """Ask about *places* as a look-back at *until* would; say what came of each question."""
        window = Window.between(until - self._lookback, until, self._step)
        asked = self._ask(self._about(places), window)
        await _within(self._patience, list(asked.values()))
        return [_answered(question, task) for question, task in asked.items()]

    def _about(self, places: Iterable[AppEnv]) -> list[Question]:
        return [q for where in dict.fromkeys(places) for q in self._questions.of(where)]

    def _ask(
        self, questions: Iterable[Question], window: Window
    ) -> dict[Question, asyncio.Task[Answered]]:
        """Begin to ask; the first of *questions* get their turn first."""
        return {q: asyncio.create_task(self._answer(q, window)) for q in questions}

    async def _answer(self, question: Question, window: Window) -> Answered:
        tracks = [t for t in await self._server.range(question.query, window) if not t.empty]
        if len(tracks) != 1:
            return Answered(question, count=len(tracks))
        series = Series(question.metric, window.began, window.step, tracks[0].values)
        return Answered(question, series, count=1)

    async def _alerts(self, window: Window) -> list[Alert]:
        tracks = await self._server.range(history.query(self._labels), window)
        meaning = partial(self._labels.where, known=self._known)
        return history.alerts(tracks, window, meaning)

    async def _behind(self, firing: Firing, window: Window) -> Behind:
        if not firing.alertname:
            return Behind()
        rules = await self._server.rules(firing.alertname)
        found = behind.candidates(firing.labels, rules)
        rule, waited = behind.agreed(found), behind.waited(found)
        if rule is None:
            return Behind(waited)
        smeared = behind.averaged(rule)
        try:
            series = await self._rule_series(firing.labels, rule, window)
        except _FAILURES as error:
            return Behind(waited, smeared, missing=str(error))
        return Behind(waited, smeared, series)

    async def _rule_series(
        self, alert: Mapping[str, str], rule: Rule, window: Window
    ) -> Series | None:
        """What *rule* measures of the *alert*; None where that is not certain."""
        names = (self._labels.app, self._labels.env)
        where = {n: alert[n] for n in names if n in alert and n not in rule.labels}
        side = measured_side(rule.query, where=where)
        if side is None:
            return None
        tracks = await self._server.range(side.query, window)
        found = [t for t in behind.fitting(tracks, alert, rule) if not t.empty]
        if len(found) != 1 or (side.share and not behind.shares(found[0].values)):
            return None
        return _series(rule, found[0], window)


def _series(rule: Rule, track: Track, window: Window) -> Series:
    metric = behind.metric_of(rule, track.values)
    return Series(metric, window.began, window.step, track.values, of_alert=True)


def _measured(
    where: AppEnv,
    rule: Behind | Failure,
    alerts: list[Alert] | Failure,
    answers: Sequence[Answered],
) -> Measured:
    series: dict[AppEnv, list[Series]] = {}
    missing: dict[AppEnv, list[str]] = {}
    told = rule.missing if isinstance(rule, Behind) else str(rule)
    if told:
        missing.setdefault(where, []).append(f"the alert's rule: {told}")
    if not isinstance(alerts, list):
        missing.setdefault(where, []).append(f"the alerts before: {alerts}")
    if isinstance(rule, Behind) and rule.series is not None:
        series.setdefault(where, []).append(rule.series)
    for answer in answers:
        if answer.series is not None:
            series.setdefault(answer.question.where, []).append(answer.series)
        elif answer.missing:
            missing.setdefault(answer.question.where, []).append(answer.missing)
    return Measured(
        series=series,
        alerts=alerts if isinstance(alerts, list) else (),
        waited=rule.waited if isinstance(rule, Behind) else None,
        smeared=rule.smeared if isinstance(rule, Behind) else timedelta(),
        missing={place: "; ".join(said)[:_SAID] for place, said in missing.items()},
    )


async def _within(patience: timedelta, tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for *tasks* as long as *patience* lasts; none of them runs on afterwards."""
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=patience.total_seconds())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _outcome(task: asyncio.Task[T]) -> T | Failure:
    """What *task* brought, or how the outside failed it; a failure of ours is raised."""
    if task.cancelled():
        return UpstreamDown(SYSTEM, "no answer in time")
    error = task.exception()
    if isinstance(error, _FAILURES):
        return error
    return task.result()


def _answered(question: Question, task: asyncio.Task[Answered]) -> Answered:
    outcome = _outcome(task)
    return outcome if isinstance(outcome, Answered) else Answered(question, failure=outcome)


def _detail(error: Failure) -> str:
    """The sentence of *error* without the system's name, which is said again."""
    return str(error).removeprefix(f"{SYSTEM}: ")
