"""The chart of a decision: what it was about, and what it says did it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from bot.domain.chart.build import chart_of
from bot.domain.chart.view import ChartView, Interval
from bot.domain.verdict import weigh
from bot.domain.verdict.decide import Decision, Verdict
from bot.domain.verdict.incident import Change, Incident, Metric, Series
from bot.domain.verdict.line import FEWEST, line, value
from bot.domain.verdict.onset import Onset

LATELY_S = 45 * 60.0


def charted(incident: Incident, decision: Decision) -> ChartView:
    """Return the chart of *incident* as *decision* sees it."""
    turn = decision.onset.turn
    began = decision.onset.began[0]
    series = incident.series.get(incident.where, ())
    turned = Metric.LOAD if decision.verdict is Verdict.LOAD else turn.line.metric if turn else None
    usual = {one.metric: _before(one, began) for one in series}
    if turn is not None:
        usual[turn.line.metric] = value(turn.line.metric, turn.usual)
    return chart_of(
        incident.where,
        alert=incident.alert,
        decided_at=incident.decided_at,
        series=series,
        changes=_shown(incident, decision),
        alerts=incident.alerts,
        onset=_interval(decision.onset),
        turned=turned,
        usual={metric: level for metric, level in usual.items() if level is not None},
        suspects=_suspects(decision),
        candidate=decision.target,
    )


def _before(series: Series, began: float) -> float | None:
    """The level of *series* just before the trouble; None where too little of it was measured.

    Only just before: load has its hours, and that of the morning is not usual at noon.
    """
    of = line(series, until=began)
    y = of.y[of.at >= began - LATELY_S]
    return value(of.metric, float(np.median(y))) if len(y) >= FEWEST else None


def _interval(onset: Onset) -> Interval:
    first, last = onset.began
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)


def _suspects(decision: Decision) -> list[Change]:
    """The one suspect, or the two that cannot be told apart."""
    if decision.verdict is not Verdict.TWO_CHANGES:
        return [decision.suspect.change] if decision.suspect else []
    accused = [one.suspect.change for one in decision.explanations if one.suspect]
    return accused[:2]


def _shown(incident: Incident, decision: Decision) -> Sequence[Change]:
    """The changes of the app, and of those behind it in its environment."""
    uses = {name: list(app.depends_on) for name, app in incident.apps.items()}
    behind = weigh.reach(incident.where.app, uses)
    env = incident.where.env
    return [
        c
        for c in incident.changes
        if c.where == incident.where or (c.where.env == env and c.where.app in behind)
    ]
