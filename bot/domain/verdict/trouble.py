"""What the alerts tell of the trouble: what belongs together, and what came and went before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.verdict.incident import Alert, Change, Incident
from bot.domain.verdict.turn import Spell

SEEN_TWICE_S = 120.0  # by how much two may differ about the times of one alert
SAME_S = 15 * 60.0  # an alert that comes back sooner never went away
CURED_S = 12 * 60.0  # trouble that ends within this time after a change was ended by it
HABIT_S = 12 * 3600.0  # what is older is no flapping
FLAPS = 3  # times that trouble came and went by itself, after which coming back is its habit


@dataclass(frozen=True)
class Past:
    """What the same trouble did before it came now.

    `alone` are the times when it came and went by itself, `cured` those which a change ended,
    each with the change. `since` is when the present trouble began to fire.
    """

    since: float
    alone: Sequence[Spell]
    cured: Sequence[tuple[Spell, Change]]

    @property
    def flaps(self) -> Sequence[Spell]:
        """Those of `alone` that are not long ago."""
        return [s for s in self.alone if s.began >= self.since - HABIT_S]

    @property
    def flapping(self) -> bool:
        return len(self.flaps) >= FLAPS

    @property
    def rate(self) -> float:
        """How often a second it came by itself; 0 where it never did."""
        if not self.alone:
            return 0.0
        return len(self.alone) / max(self.since - self.alone[0].began, HABIT_S)


def past(
    incident: Incident, changes: Sequence[Change], measured: Iterable[Spell] | None = None
) -> Past:
    """Sort the alerts of the same name there, or the *measured* spells where there are some.

    *changes* are those of the alerting app in order. An alert ends when Alertmanager says so,
    which is not recovery: a Prometheus that restarts ends all of its alerts and starts them anew
    a little later. So two that lie close together are one, and what was changed between them
    ended nothing.
    """
    spells = _alerts(incident) if measured is None else list(measured)
    if not spells:
        start = incident.alert.starts_at.timestamp()
        return Past(start, (), ())
    joined = _joined(_merged(spells)) if measured is None else spells
    *before, now = joined
    alone: list[Spell] = []
    cured: list[tuple[Spell, Change]] = []
    for spell in before:
        healer = _healer(spell, changes)
        if healer is not None:
            cured.append((spell, healer))
        elif spell.ended is not None:
            alone.append(spell)
    return Past(now.began, alone, cured)


def _alerts(incident: Incident) -> list[Spell]:
    until = incident.decided_at
    mine = incident.alert
    same = {
        alert.starts_at: alert
        for alert in [*incident.alerts, mine]
        if _same(alert, mine) and alert.starts_at <= until
    }
    return [_spell(same[start]) for start in sorted(same) if start <= mine.starts_at]


def _same(one: Alert, other: Alert) -> bool:
    return one.where == other.where and one.name == other.name


def _spell(alert: Alert) -> Spell:
    ended = alert.ends_at.timestamp() if alert.ends_at else None
    return Spell(alert.starts_at.timestamp(), ended)


def _merged(spells: Sequence[Spell]) -> list[Spell]:
    """Spells that overlap, or nearly do, made one: one alert as two saw it, or its instances."""
    merged: list[Spell] = []
    for spell in spells:
        last = merged[-1] if merged else None
        if last is None or last.ended is None or spell.began > last.ended + SEEN_TWICE_S:
            merged.append(spell)
        else:
            ended = None if spell.ended is None else max(last.ended, spell.ended)
            merged[-1] = Spell(last.began, ended)
    return merged


def _joined(spells: Sequence[Spell]) -> list[Spell]:
    """Spells that lie close together made one, unless they are short and many."""
    joined: list[Spell] = []
    lengths = [s.ended - s.began for s in spells if s.ended is not None]
    often = len(spells) > FLAPS and max(lengths, default=0.0) < SAME_S
    for spell in spells:
        last = joined[-1] if joined else None
        if last is None or last.ended is None or often:
            joined.append(spell)
        elif spell.began - last.ended <= SAME_S:
            joined[-1] = Spell(last.began, spell.ended)
        else:
            joined.append(spell)
    return joined


def _healer(spell: Spell, changes: Sequence[Change]) -> Change | None:
    """The last change during *spell* that it ended soon after."""
    if spell.ended is None:
        return None
    during = [
        c
        for c in changes
        if spell.began <= c.at.timestamp() <= spell.ended <= c.at.timestamp() + CURED_S
    ]
    return during[-1] if during else None
