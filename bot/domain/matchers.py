"""In which ways an alert can mean an app, as Alertmanager can be asked and told to be silent."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bot.domain.announced import ALERTNAME
from bot.domain.naming import LabelMap, Match
from store.records import AppEnv

MOST_WAYS: Final = 16  # of one match or name; each is a silence of its own
_ALERTNAME = "alertname"
_SPEAKABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)  # a label's name in Alertmanager 0.25


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


def exactly(
    where: AppEnv, labels: LabelMap, known: Container[AppEnv], alerts: Sequence[str] = ()
) -> tuple[Way, ...]:
    """The ways in which an alert means *where* among the *known* apps: any of them is enough.

    Alertmanager knows no "or" between labels, so each is a silence of its own. Of *alerts* only
    those are meant; without any it is all of *where* but what we say ourselves. No way fits an
    alert that means another app, or none. Where that would take more than `MOST_WAYS` for one
    match or name, some alerts of *where* fit no way: rather too much is told than too little.

    A thousand matches of other apps can take seconds: not for the loop.
    """
    meant = _Meant(where, labels, known)
    found: dict[Way, None] = {}
    for fit in _of(meant.broad(), alerts):
        for envs, rivals in meant.rivals(fit):
            found |= dict.fromkeys(map(_Fit.way, _apart(fit.only(labels.env, envs), rivals)))
    return tuple(filter(_can_be_said, found))


def broadly(where: AppEnv, labels: LabelMap, known: Container[AppEnv]) -> tuple[Way, ...]:
    """Few questions that fit every alert of *where* but our own, and maybe some of other apps."""
    found = dict.fromkeys(map(_Fit.way, _of(_Meant(where, labels, known).broad(), ())))
    return tuple(filter(_can_be_said, found))


def fits_one(asked: Iterable[Way], labels: Mapping[str, str]) -> bool:
    """Whether an alert with *labels* would be in an answer to what was *asked*."""
    return any(all(matcher.holds(labels) for matcher in way) for way in asked)


@dataclass(frozen=True)
class _Fit:
    """What fits: labels that are *among* some values, and others that *never* have some.

    Of the matches that fit an alert those count that have the most labels: *weight*.
    """

    weight: int
    among: Mapping[str, frozenset[str]]
    never: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def way(self) -> Way:
        is_so = [_matcher(name, values) for name, values in self.among.items()]
        return (*is_so, *(_matcher(name, some, equal=False) for name, some in self.never.items()))

    def is_within(self, other: _Fit) -> bool:
        """Whether whatever fits this fits *other*, that was made of the same."""
        return all(some <= self.never.get(name, frozenset()) for name, some in other.never.items())

    def left(self, name: str, values: Iterable[str]) -> frozenset[str]:
        """Which of *values* the label *name* of what fits may have."""
        some = frozenset(values) - self.never.get(name, frozenset())
        return some & self.among[name] if name in self.among else some

    def only(self, name: str, values: Iterable[str]) -> _Fit:
        """This, where the label *name* has one of *values*."""
        return replace(self, among={**self.among, name: self.left(name, values)})

    def but(self, name: str, values: Iterable[str]) -> _Fit:
        """This, where the label *name* has none of *values*."""
        never = self.never.get(name, frozenset()).union(values)
        return replace(self, never={**self.never, name: never})


@dataclass(frozen=True)
class _Meant:
    """One of the *known* apps, as *labels* read alerts."""

    where: AppEnv
    labels: LabelMap
    known: Container[AppEnv]

    def broad(self) -> Iterator[_Fit]:
        """What fits each match of it, its name, and what it is called elsewhere.

        Names go together where the environment is alike; every match goes before a name.
        """
        either = (self.where.env, "")
        for match in self.labels.match:
            fit = _Fit(
                len(match.labels), {name: frozenset(of) for name, of in match.labels.items()}
            )
            envs = [env for env in either if self.labels.place(match, env) == self.where]
            fit = fit.only(self.labels.env, envs)
            if fit.among[self.labels.env]:
                yield fit
        called: dict[tuple[str, ...], list[str]] = {}
        for name in dict.fromkeys((self.where.app, *self.labels.names)):
            meant = (self.labels.called(name, env, self.known).where for env in either)
            envs = [env for env, there in zip(either, meant, strict=True) if there == self.where]
            called.setdefault(tuple(envs), []).append(name)
        for alike, names in called.items():
            if alike:
                own = {self.labels.app: frozenset(names), self.labels.env: frozenset(alike)}
                yield _Fit(0, own)

    def rivals(self, fit: _Fit) -> list[tuple[Collection[str], list[Match]]]:
        """By which matches an alert that *fit* fits means something else; by what it calls env."""
        found: dict[tuple[int, ...], list[str]] = {}
        for env in sorted(fit.among[self.labels.env]):
            which = (n for n, one in enumerate(self.labels.match) if self._outdoes(one, fit, env))
            found.setdefault(tuple(which), []).append(env)
        return [(envs, [self.labels.match[n] for n in which]) for which, envs in found.items()]

    def _outdoes(self, match: Match, fit: _Fit, env: str) -> bool:
        place, more = self.labels.place(match, env), len(match.labels) - fit.weight
        other = place != self.where and (more > 0 or (more == 0 and place in self.known))
        return other and all(map(_SPEAKABLE.fullmatch, match.labels))


def _of(fits: Iterable[_Fit], alerts: Sequence[str]) -> Iterator[_Fit]:
    """What of *fits* is of these alerts; of all but our own without one."""
    for fit in fits:
        named = fit.only(_ALERTNAME, alerts) if alerts else fit.but(_ALERTNAME, [ALERTNAME])
        if named.left(_ALERTNAME, alerts) or not alerts:
            yield named


def _can_be_said(way: Way) -> bool:
    """Whether Alertmanager takes it: no alert of it has a label of another name."""
    return all(_SPEAKABLE.fullmatch(matcher.name) for matcher in way)


def _apart(broad: _Fit, rivals: Sequence[Match]) -> list[_Fit]:
    """What together fits what *broad* does, but for what one of the *rivals* fits."""
    found = [broad]
    for rival in rivals:
        found = _broadest(apart for one in found for apart in _without(one, rival))[:MOST_WAYS]
    return found


def _without(fit: _Fit, rival: Match) -> list[_Fit]:
    """*fit* where *rival* does not: one of its labels has another value, each on its own.

    That is *fit* itself where both cannot fit one alert, and nothing where *rival* always does.
    """
    found: list[_Fit] = []
    for name, values in rival.labels.items():
        if not fit.left(name, values):
            return [fit]
        if name not in fit.among or fit.left(name, fit.among[name]) - set(values):
            found.append(fit.but(name, values))
    return found


def _broadest(fits: Iterable[_Fit]) -> list[_Fit]:
    """Without those that are within another."""
    found: list[_Fit] = []
    for one in fits:
        if not any(one.is_within(other) for other in found):
            found = [other for other in found if not other.is_within(one)] + [one]
    return found


def _matcher(name: str, values: Collection[str], *, equal: bool = True) -> Matcher:
    in_order = sorted(values, key=lambda value: (not value, value))  # none at all is said last
    if len(in_order) == 1:
        return Matcher(name, in_order[0], equal=equal)
    return Matcher(name, "|".join(map(re.escape, in_order)), regex=True, equal=equal)
