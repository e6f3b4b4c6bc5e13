"""When the trouble began: from the metric that turned, else bounded by the alert."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bot.domain.verdict.incident import Change, Incident, Metric
from bot.domain.verdict.line import Line, Numbers, line
from bot.domain.verdict.trouble import Past, past
from bot.domain.verdict.turn import Spell, Turn, spells, turn

SEEN_LATE_S = 120.0  # from what happens to the scrape that shows it and the rule that reads it
LAG_S = 20 * 60.0  # a spell that ended so long before the alert is not what it is about
OTHER_S = 45 * 60.0  # before the alert, from when on another metric than its own may tell
SLOW_UNSEEN = 0.15  # chance of a slow rise where no metric shows which it was
_PIECES = 16  # of the time within which it began, where nothing tells more
_NAMES = (
    (Metric.LATENCY, re.compile(r"laten|slow|duration|p9\d|p50|respon|timeout", re.IGNORECASE)),
    (Metric.ERRORS, re.compile(r"err|fail|5xx|unavailab|down|success", re.IGNORECASE)),
)


class Source(StrEnum):
    """What an onset was taken from."""

    METRIC = "metric"
    ALERTS = "alerts"  # an earlier start of the same alert, minus the rule's wait
    STARTS_AT = "starts_at"  # `startsAt` minus the rule's wait


@dataclass(frozen=True)
class Onset:
    """When it began: moments with their chances, as in `Turn`, seconds since 1970.

    `turn` is None where no metric shows it. `past` is what the same trouble did before.
    """

    source: Source
    at: Numbers
    width: Numbers
    chance: Numbers
    slow: float
    past: Past
    turn: Turn | None = None
    ended: float | None = None  # when it was over again, as far as that is seen

    @property
    def began(self) -> tuple[float, float]:
        """The time that holds nine chances of ten."""
        if self.turn is not None:
            return self.turn.began
        return float(self.at[0]), float(self.at[-1] + self.width[-1])

    def mean(self, density: Numbers) -> float:
        """The mean of a *density* that was taken at `grid`."""
        return float(np.dot(density.mean(axis=1), self.chance))

    @property
    def grid(self) -> Numbers:
        """Eight moments inside each of `at`: [moment, eighth]."""
        return self.at[:, None] + self.width[:, None] * ((np.arange(8) + 0.5) / 8)[None, :]


_Turned = tuple[Line, Sequence[Spell], Spell]


def find(incident: Incident, changes: Sequence[Change]) -> Onset:
    """Find when the trouble behind *incident* began; *changes* are those of its app, in order.

    An alert that comes and goes by itself is one trouble, which began when it first came.
    """
    lines = _lines(incident)
    now = _now(incident, lines)
    if now is not None:
        of, all_spells, current = now
        like = [s for s in all_spells if s.began <= current.began and _like(s, current)]
        before = past(incident, changes, like)
        spell = before.flaps[0] if before.flapping else current
        earlier = [s.ended for s in all_spells if s.ended is not None and s.began < spell.began]
        found = turn(of, spell, not_before=max(earlier, default=0.0))
        if found is not None:
            return Onset(
                Source.METRIC,
                *(found.at, found.width, found.chance, found.slow),
                past=before,
                turn=found,
                ended=current.ended,
            )
    return _bounded(incident, past(incident, changes))


def _like(spell: Spell, now: Spell) -> bool:
    """Whether *spell* was of the same size as the trouble of *now*."""
    return spell.height >= now.height / 2


def _bounded(incident: Incident, before: Past) -> Onset:
    start = before.flaps[0].began if before.flapping else before.since
    same = abs(start - incident.alert.starts_at.timestamp()) < 1
    at, width, chance = _before(start, incident)
    source = Source.STARTS_AT if same else Source.ALERTS
    ended = incident.alert.ends_at.timestamp() if incident.alert.ends_at else None
    return Onset(source, at, width, chance, SLOW_UNSEEN, past=before, ended=ended)


def _before(start: float, incident: Incident) -> tuple[Numbers, Numbers, Numbers]:
    """When what began to fire at *start* may have begun.

    Where the rule's wait is not known, one rule in three is taken for one that hardly waits.
    """
    known = incident.waited
    wait = (incident.usual_wait if known is None else known).total_seconds()
    longest = wait + SEEN_LATE_S + incident.smeared.total_seconds()
    at: Numbers = start - longest + longest / _PIECES * np.arange(_PIECES, dtype=np.float64)
    width = np.full(_PIECES, longest / _PIECES)
    if known is None:
        soon = np.maximum(at + width - (start - SEEN_LATE_S), 0.0)
        chance = 2 / 3 / _PIECES + np.minimum(soon, width) / SEEN_LATE_S / 3
    else:
        chance = (at < start - wait).astype(np.float64)
    return at, width, chance / chance.sum()


def _lines(incident: Incident) -> list[Line]:
    until = incident.decided_at.timestamp()
    of = incident.series.get(incident.where, ())
    lines = [line(s, until=until) for s in of if s.metric is not Metric.LOAD]
    return [one for one in lines if one.long_enough]


def _now(incident: Incident, lines: Sequence[Line]) -> _Turned | None:
    """The line that turned, with its spells and the one that the alert is about.

    Where several turned it is the one that the alert's rule measures, else the one that its name
    speaks of, else the one that turned most.
    """
    meant = next((m for m, names in _NAMES if names.search(incident.alert.name)), None)
    start = incident.alert.starts_at.timestamp()
    found: list[tuple[int, float, int, _Turned]] = []
    for number, of in enumerate(lines):
        all_spells = spells(of)
        current = [
            s
            for s in all_spells
            if s.began <= start + 2 * of.step and (s.ended is None or s.ended >= start - LAG_S)
        ]
        spoken_of = 2 * of.of_alert + (of.metric is meant)
        if current and not spoken_of and current[-1].began < start - OTHER_S:
            continue  # what the alert does not speak of is no older than it
        if current:
            turned = turn(of, current[-1])
            size = turned.size if turned is not None else 0.0
            found.append((spoken_of, size, -number, (of, all_spells, current[-1])))
    return max(found, key=lambda one: one[:3])[3] if found else None
