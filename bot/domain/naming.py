"""Which app in which environment the labels of an alert mean. Where they mean two, it is none."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bot.domain.announced import is_ours
from store.records import AppEnv


@dataclass(frozen=True)
class Match:
    """An alert that carries all of *labels*, each with one of its values, means *app*.

    With an *env* it means the app in that environment, unless the alert names another one.
    """

    labels: Mapping[str, tuple[str, ...]]
    app: str
    env: str = ""

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(name) in values for name, values in self.labels.items())


@dataclass(frozen=True)
class Meaning:
    """What labels mean: one app@env, or nothing; *rivals* are those that they mean equally."""

    where: AppEnv | None = None
    rivals: tuple[str, ...] = ()


_NOBODY = Meaning()


@dataclass(frozen=True)
class LabelMap:
    """Which labels of an alert name the app and the environment.

    Matches go before the app's label. Of several that fit, those with the most labels count;
    when they mean different places the alert belongs to none of them. `sole` holds the one
    environment of each app that has one only: an alert that names no environment means that one.
    `names` holds what apps are called elsewhere, where the app's label may say that.
    """

    app: str = "app"
    env: str = "env"
    match: tuple[Match, ...] = ()
    sole: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[AppEnv, ...]] = field(default_factory=dict)

    def meaning(self, labels: Mapping[str, str], known: Container[AppEnv]) -> Meaning:
        """What *labels* mean among the *known* apps; empty values count as absent."""
        if is_ours(labels):
            return _NOBODY  # it tells of a rollback, and must not bring about another
        named = labels.get(self.env, "")
        fitting = self._fitting(labels)
        if not fitting:
            return self.called(labels.get(self.app, ""), named, known)
        most = max(len(match.labels) for match in fitting)
        found = {
            place
            for match in fitting
            if len(match.labels) == most and (place := self.place(match, named)) in known
        }
        return _only(found)

    def where(self, labels: Mapping[str, str], known: Container[AppEnv]) -> AppEnv | None:
        """The app@env that *labels* name, or None when it is not among *known*, or not one."""
        return self.meaning(labels, known).where

    def called(self, app: str, env: str, known: Container[AppEnv]) -> Meaning:
        """What an alert means by its names for the app and the environment, if no match fits it."""
        here = AppEnv(app, env or self.sole.get(app, ""))
        if here in known:
            return Meaning(here)
        if app not in self.names:
            return _NOBODY
        called = (place for place in self.names[app] if env in {"", place.env})
        return _only({place for place in called if place in known})

    def place(self, match: Match, named: str) -> AppEnv:
        """What an alert that *match* fits means where it calls its environment *named*."""
        if match.env and named and named != match.env:
            return AppEnv(match.app, "")  # nobody's: the alert is of another environment
        return AppEnv(match.app, match.env or named or self.sole.get(match.app, ""))

    def _fitting(self, labels: Mapping[str, str]) -> list[Match]:
        if not self.match:
            return []
        some = (self._by_label.get(pair, ()) for pair in labels.items())
        return [match for matches in some for match in matches if match.fits(labels)]

    @cached_property
    def _by_label(self) -> Mapping[tuple[str, str], list[Match]]:
        """Matches by one of their labels, so that a storm does not look at each for each alert."""
        found: dict[tuple[str, str], list[Match]] = {}
        for match in self.match:
            name, values = next(iter(match.labels.items()), ("", ()))
            for value in values:
                found.setdefault((name, value), []).append(match)
        return found


def _only(found: set[AppEnv]) -> Meaning:
    if len(found) == 1:
        return Meaning(found.pop())
    return Meaning(rivals=tuple(sorted(map(str, found))))


def sole_environments(places: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The environment of each app of (app, environment) that has only one."""
    found: dict[str, set[str]] = {}
    for app, env in places:
        found.setdefault(app, set()).add(env)
    return {app: envs.pop() for app, envs in found.items() if len(envs) == 1}
