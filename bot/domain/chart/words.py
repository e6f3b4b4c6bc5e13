"""How numbers and times read on a chart, and the whole chart in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor, log10

from bot.domain.chart.view import ChartView, Firing, How, Mark, Panel, Role
from bot.domain.verdict.incident import Metric

NAMES = {
    Metric.ERRORS: "Errors",
    Metric.LATENCY: "Latency",
    Metric.LOAD: "Load",
    Metric.OTHER: "Metric of the alert",
}
_UNITS = {Metric.ERRORS: " %", Metric.LATENCY: " s", Metric.LOAD: " /s", Metric.OTHER: ""}
_LONGEST = 900  # characters in words; Slack takes 1000
_HUGE = 1e300  # a hundred times as much is still a number
_TOLD = 6  # other versions that are named in words


def number(value: float) -> str:
    """Return *value* with three digits, or two below 1: "0.12", "4.25", "1.2k", "3e16"."""
    size = abs(value)
    sign = "−" if value < 0 else ""
    if size == 0:
        return "0"
    if size >= 999.5e12 or size < 0.0005:
        return f"{sign}{size:.0e}".replace("e+", "e").replace("e-", "e−")
    if size < 1:
        return sign + _plain(round(size, 1 - floor(log10(size))))
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit * 0.9995:
            return sign + _three(size / unit) + name
    return sign + _three(size)


def _three(size: float) -> str:
    return _plain(round(size, 2 if size < 9.995 else 1 if size < 99.95 else 0))


def _plain(size: float) -> str:
    text = f"{size:.6f}"
    return text.rstrip("0").rstrip(".")


def amount(metric: Metric, value: float) -> str:
    """Return *value* with its unit; a share of errors in percent."""
    return number(value * 100 if metric is Metric.ERRORS else value) + _UNITS[metric]


def about(metric: Metric, value: float) -> str:
    """Return `amount` with two digits: a measured level is not known better."""
    return amount(metric, float(f"{min(max(value, -_HUGE), _HUGE):.1e}"))


def clock(at: datetime) -> str:
    """Return the time of day."""
    return f"{at:%H:%M}"


def day(at: datetime) -> str:
    """Return the day without its year."""
    return f"{at.day} {at:%b}"


def moment(at: datetime, ended: datetime) -> str:
    """Return the time of day, and the day where it is not that of the end."""
    return clock(at) if at.date() == ended.date() else f"{day(at)} {clock(at)}"


def days(began: datetime, ended: datetime) -> str:
    """Return the day or days that a chart spans, with the zone of all its times."""
    if began.date() == ended.date():
        return f"{day(ended)} {ended.year}, UTC"
    first = day(began) if began.year == ended.year else f"{day(began)} {began.year}"
    return f"{first} – {day(ended)} {ended.year}, UTC"


def since(onset: tuple[datetime, datetime], ended: datetime) -> str:
    """Return when it began: one minute, or the first and the last; the day where not today."""
    first, last = onset
    text = clock(first) if clock(first) == clock(last) else f"{clock(first)}–{clock(last)}"
    return text if first.date() == ended.date() else f"{day(first)} {text}"


def headline(
    panel: Panel | None, onset: tuple[datetime, datetime] | None, alert: str, ended: datetime
) -> str:
    """Return what is to be seen in one line; *panel* is of the metric that turned."""
    began = f" since {since(onset, ended)}" if onset else ""
    worst = _worst(panel, onset) if panel else None
    if panel is None or worst is None:
        return f"Around {alert}, trouble{began}" if began else f"Around {alert}"
    usual = f" (usually {about(panel.metric, panel.usual)})" if panel.usual is not None else ""
    return f"{NAMES[panel.metric]} up to {about(panel.metric, worst)}{usual}{began}"


def _worst(panel: Panel, onset: tuple[datetime, datetime] | None) -> float | None:
    after = (v for at, v in panel.measured() if onset is None or at >= onset[0])
    return max(after, default=None)


def levels(panel: Panel) -> str:
    """Return the usual level and that at the end, as far as they are known."""
    usual = "" if panel.usual is None else f"usually {about(panel.metric, panel.usual)}"
    now = "" if panel.now is None else f"now {about(panel.metric, panel.now)}"
    return ", ".join(filter(None, (usual, now)))


def flag(mark: Mark, ended: datetime) -> str:
    """Return what stands at a mark."""
    came = {How.PUBLISHED: "", How.RESTORED: "↩ ", How.DRIFTED: "~ "}[mark.how]
    role = {Role.SUSPECT: " suspect", Role.CANDIDATE: " good"}.get(mark.role, "")
    text = f"{came}{mark.label}{role}"
    return f"◀ {text}, {moment(mark.at, ended)}" if mark.early else text


def fired(firings: Sequence[Firing], ended: datetime) -> str:
    """Return when or how often the alert fired."""
    if not firings:
        return "did not fire"
    last = firings[-1]
    often = "" if len(firings) == 1 else f"fired {len(firings)} times, "
    if last.open:
        return f"{often or 'fires '}{'now ' if often else ''}since {moment(last.began, ended)}"
    return f"{often or 'fired '}{'last ' if often else ''}until {moment(last.ended, ended)}"


def in_words(view: ChartView) -> str:
    """Return the chart for those who do not see it; at most 900 characters."""
    began, ended = moment(view.began, view.ended), clock(view.ended)
    span = f"from {began} to {ended} on {days(view.ended, view.ended)}"
    panels = (f"{NAMES[p.metric].lower()} {levels(p) or 'not measured'}" for p in view.panels)
    shown = "; ".join(panels) or "no measurements"
    text = f"Chart of {view.where} {span}: {shown}. {_events(view)}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _events(view: ChartView) -> str:
    told = []
    if view.onset:
        told.append(f"trouble began {since(view.onset, view.ended)}")
    told += [
        f"{mark.label} ({_ROLES[mark.role]}) {_WENT[mark.how]} {moment(mark.at, view.ended)}"
        for mark in view.marks
        if mark.role in _ROLES
    ]
    if others := _others(view):
        told.append(f"other versions: {others}")
    told.append(f"{view.alert} {fired(view.firings, view.ended)}")
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


_ROLES = {Role.SUSPECT: "suspect", Role.CANDIDATE: "last good"}
_WENT = {
    How.PUBLISHED: "went live",
    How.RESTORED: "was restored",
    How.DRIFTED: "was found live, published by nobody,",
}


def _others(view: ChartView) -> str:
    others = [mark for mark in view.marks if mark.role not in _ROLES]
    named = sorted(sorted(others, key=lambda m: m.rank)[:_TOLD], key=lambda m: m.at)
    told = ", ".join(f"{mark.label} {moment(mark.at, view.ended)}" for mark in named)
    more = len(others) - len(named)
    return f"{told} and {more} more" if more else told
