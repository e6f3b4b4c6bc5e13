"""How long silences of ours last, and how they are found again in Alertmanager."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.domain.matchers import Matcher, Way
from store.records import AppEnv, Silenced

LONGEST: Final = timedelta(hours=4)
CREATOR: Final = "keyturn"
HEARD_AFTER: Final = timedelta(minutes=2)  # an alert may end in the moment in which a silence does


@dataclass(frozen=True)
class Held:
    """A silence of ours as an Alertmanager holds it."""

    id: str
    comment: str
    until: datetime
    matchers: frozenset[Matcher] = frozenset()


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
