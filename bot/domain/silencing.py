"""Which alerts silences of ours hush, and how these are found again in Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.announced import ALERTNAME
from bot.domain.naming import LabelMap
from store.records import AppEnv, Silenced

LONGEST: Final = timedelta(hours=4)
CREATOR: Final = "keyturn"
HEARD_AFTER: Final = timedelta(minutes=2)  # an alert may end in the moment in which a silence does
_ALERTNAME = "alertname"


@dataclass(frozen=True)
class Matcher:
    """One condition of a silence, as Alertmanager has them: all of them have to hold."""

    name: str
    value: str
    regex: bool = False
    equal: bool = True

    def spelled(self) -> str:
        """How a filter of Alertmanager says it, such as `app="triage"`."""
        sign = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{sign[self.equal, self.regex]}"{value}"'

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether it holds of an alert with *labels*: one that is missing is empty."""
        value = labels.get(self.name, "")
        same = re.fullmatch(self.value, value) if self.regex else value == self.value
        return bool(same) is self.equal


Way = tuple[Matcher, ...]


@dataclass(frozen=True)
class Held:
    """A silence of ours as an Alertmanager holds it."""

    id: str
    comment: str
    until: datetime
    matchers: frozenset[Matcher] = frozenset()


def ways(where: AppEnv, labels: LabelMap, alerts: Sequence[str] = ()) -> tuple[Way, ...]:
    """The ways in which an alert can mean *where*, as *labels* read alerts: any of them is enough.

    Alertmanager knows no "or" between labels, so each is a question, and a silence, of its own.
    Of *alerts* only those are meant; without any it is all of *where* but what we say ourselves.
    An alert that fits a way may still mean another app, by a match that is more exact.
    """
    which = _one_of(_ALERTNAME, alerts) if alerts else Matcher(_ALERTNAME, ALERTNAME, equal=False)
    found = [*_by_match(where, labels), *_by_name(where, labels)]
    return tuple(dict.fromkeys((*way, which) for way in found))


def fits_one(asked: Iterable[Way], labels: Mapping[str, str]) -> bool:
    """Whether an alert with *labels* would be in an answer to what was *asked*."""
    return any(all(matcher.holds(labels) for matcher in way) for way in asked)


def comment(silenced: Silenced) -> str:
    """What stands beside the silence in Alertmanager: by whom, and the mark that finds it."""
    why = f"after rollback {silenced.rollback_id}" if silenced.rollback_id else "asked for in Slack"
    return f"{why}; {mark(silenced.where)}#{silenced.number}"


def mark(where: AppEnv) -> str:
    """What the comments of all our silences of *where* have in them."""
    return f"[keyturn {where}]"


def is_of(held: Held, where: AppEnv) -> bool:
    """Whether *held* is a silence of *where*."""
    return mark(where) in held.comment


def is_same(held: Held, silenced: Silenced, way: Way) -> bool:
    """Whether *held* is *silenced* as far as *way* goes, in force for as long as that."""
    apart = abs((held.until - silenced.until).total_seconds())
    same = held.comment == comment(silenced) and held.matchers == frozenset(way)
    return same and apart < 1


def _by_match(where: AppEnv, labels: LabelMap) -> Iterator[Way]:
    for match in labels.match:
        if match.app == where.app and match.env in {"", where.env}:
            own = [_one_of(name, values) for name, values in match.labels.items()]
            unnamed = bool(match.env) or _is_sole(where, labels)
            yield (*own, _env(where, labels, unnamed=unnamed))


def _by_name(where: AppEnv, labels: LabelMap) -> Iterator[Way]:
    """By its name and by what it is called elsewhere; together where the environment is alike."""
    unnamed = {where.app: _is_sole(where, labels)}
    for name, places in labels.names.items():
        if where in places:
            unnamed.setdefault(name, set(places) == {where})
    for alike in (True, False):
        called = [name for name, may in unnamed.items() if may is alike]
        if called:
            yield (_one_of(labels.app, called), _env(where, labels, unnamed=alike))


def _is_sole(where: AppEnv, labels: LabelMap) -> bool:
    """Whether an alert of the app that names no environment means *where*."""
    return labels.sole.get(where.app) == where.env


def _env(where: AppEnv, labels: LabelMap, *, unnamed: bool) -> Matcher:
    return _one_of(labels.env, [where.env, ""] if unnamed else [where.env])


def _one_of(name: str, values: Iterable[str]) -> Matcher:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return Matcher(name, different[0])
    return Matcher(name, "|".join(map(re.escape, different)), regex=True)
