"""A drill: an alert of our own for an app that serves nobody, which takes the way of every alert.

Only what is chosen differs: nothing is wrong with live, so the newest version before it that means
something else is gone back to, and the next drill comes back from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.domain import quorum
from bot.domain.phases import Phase, phases
from bot.domain.words import FindingCode
from store.records import (
    AppEnv,
    Case,
    Delivery,
    Firing,
    FiringStatus,
    Json,
    RecoveryState,
    Rollback,
    Version,
)

SOURCE: Final = "drill"  # no webhook can say it: theirs is the name of who sends them
ALERT: Final = "KeyturnDrill"
_BY: Final = "asked_by"
_MARK: Final[Mapping[str, Json]] = {"drill": True}


class Stop(StrEnum):
    """What a drill did not get past."""

    SUGGESTION = "suggestion"
    APPROVAL = "approval"
    EXECUTION = "execution"
    RECOVERY = "recovery"


# -- Its alert --------------------------------------------------------------------------------


def begun(where: AppEnv, *, by: str, at: datetime) -> Delivery:
    """Return the alert of the drill that the Slack account *by* begins in *where* at *at*."""
    name = f"{ALERT}\0{where.app}\0{where.env}\0{at.isoformat()}"
    firing = Firing(
        source=SOURCE,
        fingerprint=hashlib.sha256(name.encode()).hexdigest()[:16],
        starts_at=at,
        status=FiringStatus.FIRING,
        labels={"alertname": ALERT, "app": where.app, "env": where.env},
        annotations={_BY: by, "summary": "A drill; nothing is wrong"},
        where=where,
    )
    return _delivered(firing)


def ended(firing: Firing, *, at: datetime) -> Delivery:
    """Return what says that the alert of a drill, *firing*, ended at *at*."""
    return _delivered(replace(firing, status=FiringStatus.RESOLVED, ends_at=at))


def _delivered(firing: Firing) -> Delivery:
    key = f"{ALERT}:{firing.where}"
    told = f"{SOURCE}\0{key}\0{firing.fingerprint}\0{firing.starts_at.isoformat()}\0{firing.status}"
    digest = hashlib.sha256(told.encode()).hexdigest()
    return Delivery(SOURCE, "keyturn", key, digest, 0, (firing,))


# -- What belongs to it -----------------------------------------------------------------------


def is_one(firing: Firing) -> bool:
    """Whether *firing* is the alert of a drill."""
    return firing.source == SOURCE


def goes_on(firings: Iterable[Firing]) -> bool:
    """Whether one of *firings* is the alert of a drill that has not ended."""
    return any(is_one(one) and one.status is FiringStatus.FIRING for one in firings)


def practised(firings: Collection[Firing]) -> bool:
    """Whether a case of *firings* is a drill: a real alert among them makes it real."""
    return bool(firings) and all(map(is_one, firings))


def about(rollback: Rollback, firings: Iterable[Firing]) -> list[Firing]:
    """Those of *firings* that *rollback* is because of: the drill's own, or the real ones."""
    return [firing for firing in firings if is_one(firing) is rollback.drill]


def real(firings: Iterable[Firing]) -> list[Firing]:
    """Those of *firings* that are no drill's."""
    return [firing for firing in firings if not is_one(firing)]


def asked_by(firings: Iterable[Firing]) -> str:
    """The Slack account that began the newest drill among *firings*; "" where nobody did."""
    return max((f.starts_at, f.annotations.get(_BY, "")) for f in firings if is_one(f))[1]


def mark(rollback: Rollback | None) -> Mapping[str, Json]:
    """What says of an audit entry or a message that it is about a drill; empty where it is not."""
    return _MARK if rollback is not None and rollback.drill else {}


def mark_of(firings: Collection[Firing]) -> Mapping[str, Json]:
    """The same of what is about a case with *firings*."""
    return _MARK if practised(firings) else {}


# -- What is practised ------------------------------------------------------------------------


def candidate(
    history: Sequence[Version], live: Version, *, passed_over: Collection[str]
) -> Version | None:
    """Return the newest version before *live* with another meaning, that is not *passed_over*.

    *history* has the newest first; *passed_over* are meanings that nobody is to go back to.
    """
    older = (version for version in history if (version.number or 0) < (live.number or 0))
    return next(
        (v for v in older if v.meaning != live.meaning and v.meaning not in passed_over), None
    )


# -- How it went ------------------------------------------------------------------------------


def report(
    rollback: Rollback | None, case: Case, firings: Iterable[Firing], *, at: datetime
) -> dict[str, Json]:
    """Return the facts of how a drill went that ended at *at*; see `NoteCode.DRILL_OVER`.

    *rollback* is None where none was suggested; *firings* are those of its *case*.
    """
    began = min((one.starts_at for one in firings if is_one(one)), default=case.opened_at)
    took = dict(phases(rollback, began)) if rollback is not None else {}
    if rollback is not None and Phase.SUGGEST not in took:  # a person chose another version
        took[Phase.SUGGEST] = max((rollback.opened_at - began).total_seconds(), 0.0)
    stop = _stop(rollback)
    told: dict[str, Json] = {
        "parts": [{"part": p.value, "seconds": took[p]} for p in Phase if p in took],
        "stop": stop.value if stop else "",
        "outcome": _outcome(rollback, case, stop),
        "waited": _waited(took, began, at) if stop and stop is not Stop.RECOVERY else 0.0,
        "count": len(quorum.approvals(rollback)) if rollback else 0,
        "needed": quorum.needed(rollback) if rollback else 0,
    }
    told["total"] = sum(took.values()) + told["waited"]
    return told


def _stop(rollback: Rollback | None) -> Stop | None:
    if rollback is None:
        return Stop.SUGGESTION
    if rollback.execution.clicked_at is None:
        return Stop.APPROVAL
    if rollback.execution.verified_at is None:
        return Stop.EXECUTION
    recovery = rollback.recovery
    well = recovery is not None and recovery.state is RecoveryState.RECOVERED
    return None if well else Stop.RECOVERY


def _outcome(rollback: Rollback | None, case: Case, stop: Stop | None) -> str:
    """The code of why it stopped: how the rollback ended, or what was found instead of one."""
    if rollback is not None:
        recovery = rollback.recovery
        return recovery.state.value if stop is Stop.RECOVERY and recovery else rollback.outcome
    return case.finding.code if case.finding else FindingCode.LOOKING


def _waited(took: Mapping[Phase, float], began: datetime, at: datetime) -> float:
    """The seconds from the last part that was made to the end."""
    return max((at - began).total_seconds() - sum(took.values()), 0.0)
