"""A rollback, its alerts and its chart as they are shown: words of people without secrets. Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.chart.view import ChartView
from bot.domain.record.moments import Lived
from bot.domain.redact import redact, redact_text
from store.records import Firing, Rollback


def hidden(rollback: Rollback) -> Rollback:
    """Return *rollback* with dots in the place of secrets that somebody wrote."""
    execution = rollback.execution
    return replace(
        rollback,
        reason=redact_text(rollback.reason),
        votes=tuple(replace(vote, reason=redact_text(vote.reason)) for vote in rollback.votes),
        glass=tuple(replace(one, reason=redact_text(one.reason)) for one in rollback.glass),
        signatures=tuple(
            replace(one, remark=redact_text(one.remark)) for one in rollback.signatures
        ),
        outcome_facts=redact(dict(rollback.outcome_facts)),
        execution=replace(
            execution,
            failure_facts=redact(dict(execution.failure_facts)),
            back_facts=redact(dict(execution.back_facts)),
        ),
    )


def all_hidden(lived: Lived) -> Lived:
    """Return *lived* as `hidden` makes each."""
    return [(at, hidden(rollback)) for at, rollback in lived]


def quiet(firing: Firing) -> Firing:
    """Return *firing* with dots in the place of secrets in its labels and annotations."""
    return replace(
        firing,
        labels=redact(dict(firing.labels)),
        annotations=redact(dict(firing.annotations)),
    )


def drawn_quietly(chart: ChartView) -> ChartView:
    """Return *chart* with dots in the place of secrets in what others named."""
    return replace(chart, headline=redact_text(chart.headline), alert=redact_text(chart.alert))
