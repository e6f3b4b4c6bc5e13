"""From measurements, versions and alerts to the chart of an incident. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil, floor, isfinite
from statistics import median

from bot.domain.chart import words
from bot.domain.chart.view import ChartView, Firing, How, Interval, Mark, Panel, Role
from bot.domain.verdict.incident import Alert, Change, Metric, Series
from bot.textsafe import one_line
from store.records import AppEnv

LEAD = timedelta(minutes=45)  # of the usual before the trouble, so that it is seen as trouble
LITTLE = timedelta(minutes=10)  # the same where nothing was measured before
FAR = timedelta(hours=12)  # a suspect further away would press the trouble into a corner
PANELS = 3
MARKS = 60  # more lines would be a grey area
LONGEST_NAME, LONGEST_FLAG = 24, 16
_LATELY = timedelta(minutes=15)
_SAMPLES = 5  # whose median is the level at the end
_ORDER = (Metric.ERRORS, Metric.LATENCY, Metric.LOAD, Metric.OTHER)


def chart_of(
    where: AppEnv,
    *,
    alert: Alert,
    decided_at: datetime,
    series: Iterable[Series],
    changes: Iterable[Change] = (),
    alerts: Iterable[Alert] = (),
    onset: Interval | None = None,
    turned: Metric | None = None,
    usual: Mapping[Metric, float] | None = None,
    suspects: Collection[Change] = (),
    candidate: Change | None = None,
) -> ChartView:
    """Return the chart of what happened to *where* up to *decided_at*.

    Args:
        where: The app that alerts.
        alert: What the decision is about; of *alerts* those of its name and app are shown too.
        decided_at: The end of the chart.
        series: Measurements of *where*; one panel for the first of each metric, three at most.
        changes: Versions of *where* and of the apps behind it.
        alerts: Any others.
        onset: When it began, at the earliest and at the latest.
        turned: The metric that turned first: the panel at the top.
        usual: The level of each metric before the trouble, where known.
        suspects: The changes that may have done it.
        candidate: The version to go back to.
    """
    onset = (onset[0].astimezone(UTC), onset[1].astimezone(UTC)) if onset else None
    shown = _picked(series, turned)
    span = _window(alert, decided_at, onset, suspects, shown)
    panels = tuple(_panel(one, span, (usual or {}).get(one.metric)) for one in shown)
    top = panels[0] if panels and panels[0].metric is turned else None
    name = _short(alert.name) or "alert"
    return ChartView(
        where=_short(where.app) + "@" + _short(where.env),
        headline=words.headline(top, onset, name, span[1]),
        alert=name,
        began=span[0],
        ended=span[1],
        panels=panels,
        marks=_marks(
            where, tuple(changes), suspects, candidate, span, onset or (alert.starts_at,) * 2
        ),
        onset=_within(onset, span),
        firings=_firings(alert, alerts, span),
    )


def _short(text: str, longest: int = LONGEST_NAME) -> str:
    """A name as it is written on a chart: long ones keep their beginning and their end."""
    line = one_line(text, 200)
    return line if len(line) <= longest else f"{line[: longest - 6]}…{line[-5:]}"


def _picked(series: Iterable[Series], turned: Metric | None) -> list[Series]:
    """The first series of each metric, that which turned before the others."""
    first: dict[Metric, Series] = {}
    for one in series:
        first.setdefault(one.metric, one)
    order = sorted(first, key=lambda metric: (metric is not turned, _ORDER.index(metric)))
    return [first[metric] for metric in order[:PANELS]]


def _window(
    alert: Alert,
    decided_at: datetime,
    onset: Interval | None,
    suspects: Collection[Change],
    series: Sequence[Series],
) -> Interval:
    """From some time before the onset or the suspect, whichever came first, to the decision."""
    ended = decided_at.astimezone(UTC)
    known = [onset[0]] if onset else []
    known += [s.at for s in suspects if (onset[0] if onset else ended) - s.at <= FAR]
    first = min([*known, ended] if known else [alert.starts_at, ended]).astimezone(UTC)
    began = first - max(LEAD, (ended - first) / 3)
    measured = [one.began.astimezone(UTC) for one in series if one.values]
    if measured:  # an empty stretch on the left shows nothing
        began = max(began, min(*measured, first - LITTLE))
    return began, ended


def _panel(series: Series, span: Interval, usual: float | None) -> Panel:
    """The samples inside *span* and one on either side of it, so that the line meets the edges."""
    began, step = series.began.astimezone(UTC), series.step
    first = max(floor((span[0] - began) / step), 0)
    last = min(ceil((span[1] - began) / step), len(series.values) - 1)
    values = tuple(v if isfinite(v) else None for v in series.values[first : last + 1])
    if last >= 0 and began + last * step > span[1]:  # nobody had seen it when it was decided
        values = values[:-1]
    known = usual if usual is not None and isfinite(usual) else None
    panel = Panel(series.metric, began + first * step, step, values, known)
    return replace(panel, now=_now(panel, span[1]))


def _now(panel: Panel, ended: datetime) -> float | None:
    lately = [value for at, value in panel.measured() if ended - at <= _LATELY]
    return median(lately[-_SAMPLES:]) if lately else None


def _marks(
    where: AppEnv,
    changes: Collection[Change],
    suspects: Collection[Change],
    candidate: Change | None,
    span: Interval,
    around: Interval,
) -> tuple[Mark, ...]:
    """The versions inside *span*, and suspects before it; the most telling where there are many.

    What went live near the trouble, or was restored, tells more than what did not.
    """
    accused = {_key(change) for change in suspects}
    how = _how([*changes, *suspects])
    good = _key(candidate) if candidate else None
    inside = {_key(c): c for c in changes if span[0] <= c.at <= span[1]}
    inside |= {_key(c): c for c in suspects if c.at <= span[1]}

    def role(change: Change) -> Role:
        if _key(change) in accused:
            return Role.SUSPECT
        if _key(change) == good:
            return Role.CANDIDATE
        return Role.OWN if change.where == where else Role.BEHIND

    def telling(change: Change) -> tuple[int, float]:
        distance = abs((change.at - around[0]).total_seconds())
        restored = how[_key(change)] is How.RESTORED
        return list(Role).index(role(change)), distance / (3 if restored else 1)

    ranked = sorted(inside.values(), key=telling)[:MARKS]
    marks = [
        Mark(
            at=change.at.astimezone(UTC),
            label=_label(change, where),
            role=role(change),
            rank=rank,
            how=how[_key(change)],
            early=change.at < span[0],
        )
        for rank, change in enumerate(ranked)
    ]
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.rank)))


def _how(changes: Iterable[Change]) -> dict[tuple[AppEnv, int], How]:
    """How each of *changes* came to be live, by its key."""
    seen: set[tuple[AppEnv, str]] = set()
    found: dict[tuple[AppEnv, int], How] = {}
    for change in sorted(changes, key=lambda change: change.at):
        if _key(change) in found:
            continue
        content = (change.where, change.content)
        restored = How.RESTORED if content in seen else How.PUBLISHED
        found[_key(change)] = How.DRIFTED if change.late else restored
        seen.add(content)
    return found


def _key(change: Change) -> tuple[AppEnv, int]:
    return change.where, change.number


def _label(change: Change, where: AppEnv) -> str:
    if change.where == where:
        return f"v{change.number}"
    app = _short(change.where.app, LONGEST_FLAG)
    elsewhere = change.where.env != where.env
    env = f"@{_short(change.where.env, LONGEST_FLAG)}" if elsewhere else ""
    return f"{app}{env} v{change.number}"


def _within(onset: Interval | None, span: Interval) -> Interval | None:
    if onset is None or onset[1] < span[0] or onset[0] > span[1]:
        return None
    return max(onset[0], span[0]), min(onset[1], span[1])


def _firings(alert: Alert, alerts: Iterable[Alert], span: Interval) -> tuple[Firing, ...]:
    """When the alert fired inside *span*, its times joined where they meet."""
    same = (a for a in (*alerts, alert) if (a.name, a.where) == (alert.name, alert.where))
    times = sorted((a.starts_at.astimezone(UTC), _end(a, span[1])) for a in same)
    joined: list[Interval] = []
    for began, ended in times:
        if joined and began <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        elif began <= span[1] and ended >= span[0]:
            joined.append((began, ended))
    return tuple(
        Firing(max(began, span[0]), min(ended, span[1]), open=ended >= span[1])
        for began, ended in joined
    )


def _end(alert: Alert, ended: datetime) -> datetime:
    return alert.ends_at.astimezone(UTC) if alert.ends_at else ended
