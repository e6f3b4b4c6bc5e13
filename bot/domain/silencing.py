"""Which alerts a silence of ours hushes, and how it is found again in Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.announced import ALERTNAME
from bot.domain.naming import LabelMap, Match
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


@dataclass(frozen=True)
class Held:
    """A silence of ours as an Alertmanager holds it."""

    id: str
    comment: str
    until: datetime


def matchers(where: AppEnv, labels: LabelMap, alerts: Sequence[str] = ()) -> tuple[Matcher, ...]:
    """The conditions under which an alert means *where*, as *labels* read alerts.

    Of *alerts* only those are meant; without any it is all of *where* but what we say ourselves.
    """
    own = _match_of(where, labels)
    found = list(_by_match(where, labels, own) if own else _by_name(where, labels))
    if alerts:
        found.append(_one_of(_ALERTNAME, alerts))
    else:
        found.append(Matcher(_ALERTNAME, ALERTNAME, equal=False))
    return tuple(found)


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


def is_same(held: Held, silenced: Silenced) -> bool:
    """Whether *held* is *silenced*, in force for as long as that."""
    apart = abs((held.until - silenced.until).total_seconds())
    return held.comment == comment(silenced) and apart < 1


def _match_of(where: AppEnv, labels: LabelMap) -> Match | None:
    ours = [one for one in labels.match if one.app == where.app and one.env in {"", where.env}]
    return max(ours, key=lambda one: (bool(one.env), len(one.labels)), default=None)


def _by_match(where: AppEnv, labels: LabelMap, own: Match) -> Iterator[Matcher]:
    for name, values in own.labels.items():
        yield _one_of(name, values)
    if not own.env:
        yield _env(where, labels)


def _by_name(where: AppEnv, labels: LabelMap) -> Iterator[Matcher]:
    called = [name for name, places in labels.names.items() if where in places]
    yield _one_of(labels.app, [where.app, *called])
    yield _env(where, labels)


def _env(where: AppEnv, labels: LabelMap) -> Matcher:
    """An alert that names no environment means the only one there is."""
    sole = labels.sole.get(where.app) == where.env
    return _one_of(labels.env, [where.env, ""] if sole else [where.env])


def _one_of(name: str, values: Iterable[str]) -> Matcher:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return Matcher(name, different[0])
    return Matcher(name, "|".join(map(re.escape, different)), regex=True)
