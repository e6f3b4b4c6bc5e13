"""Whether a rollback helped: what the alert says, what counts, and how long it is watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.quorum import KEYTURN
from store.records import Finding, Firing, FiringStatus, Json, Recovery, RecoveryState, Rollback

BAKE = timedelta(minutes=15)
QUIET = timedelta(minutes=3)  # that an alert stays resolved before it counts, without any metric
METRIC, ALERT = "metric", "alert"


class Seen(StrEnum):
    """How it stands at a moment."""

    RECOVERED = "recovered"
    NOT_YET = "not_yet"
    SETTLING = "settling"  # good, but not for long enough
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why nobody knows whether it helped."""

    NO_DATA = "no_data"
    OVER_BEFORE = "over_before"  # it was over before the rollback was started
    CHANGED = "changed"  # something else went live meanwhile


@dataclass(frozen=True)
class Verdict:
    """What was seen, since when it is good, by what that is known, and why nothing is."""

    seen: Seen
    since: datetime | None = None
    by: str = METRIC
    why: str = ""


UNREADABLE = Verdict(Seen.UNKNOWN, why=Why.NO_DATA)  # what measures does not answer


def by_alert(
    firings: Sequence[Firing], *, acted_at: datetime, now: datetime, quiet: timedelta = QUIET
) -> Verdict:
    """Say what the alert alone tells, for an app without a metric that showed the trouble.

    An alert that ends and begins again within moments never went away: a Prometheus that was
    restarted does that. So it counts only when it stayed resolved for *quiet*.

    Args:
        firings: Those of the trouble, and all of the same names since.
        acted_at: When the rollback was started: what was over by then was not its doing.
        now: Nothing that began later is looked at.
        quiet: How long all have to be resolved.
    """
    known = [firing for firing in firings if firing.starts_at <= now]
    ends = [_ended(firing, now) for firing in known]
    over = [end for end in ends if end is not None]
    if not known:
        return Verdict(Seen.UNKNOWN, by=ALERT, why=Why.NO_DATA)
    if len(over) < len(known):
        return Verdict(Seen.NOT_YET, by=ALERT)
    since = max(over)
    if since < acted_at:
        return Verdict(Seen.UNKNOWN, by=ALERT, why=Why.OVER_BEFORE)
    if now - since < quiet:
        return Verdict(Seen.SETTLING, by=ALERT)
    return Verdict(Seen.RECOVERED, since=since, by=ALERT)


def _ended(firing: Firing, now: datetime) -> datetime | None:
    """When *firing* ended; None while it fires at *now*."""
    ended = firing.ends_at if firing.status is FiringStatus.RESOLVED else None
    return ended if ended is not None and ended <= now else None


def concluded(verdict: Verdict, watched: Recovery, *, over: bool, changed: bool) -> Recovery | None:
    """Return how *watched* ends by *verdict*; None while it is watched on.

    *over* says that the bake time is over, *changed* that something else is live by now, after
    which nothing can be seen any more. What is good but not for long enough gets the little time
    that it still needs.
    """
    if verdict.seen is Seen.RECOVERED:
        return Recovery(
            RecoveryState.RECOVERED, watched.case_id, since=verdict.since, by=verdict.by
        )
    if changed:
        return Recovery(RecoveryState.UNKNOWN, watched.case_id, why=Why.CHANGED)
    if not over or verdict.seen is Seen.SETTLING:
        return None
    if verdict.seen is Seen.NOT_YET:
        return Recovery(RecoveryState.NOT_RECOVERED, watched.case_id, by=verdict.by)
    return Recovery(RecoveryState.UNKNOWN, watched.case_id, why=verdict.why)


def told(rollback: Rollback) -> dict[str, Json]:
    """Return what is said of how *rollback* stands; empty where nothing was watched."""
    recovery = rollback.recovery
    if recovery is None:
        return {}
    return {
        "seconds": seconds_to_recovered(rollback),
        "by": recovery.by,
        "why": recovery.why,
    }


def stopped(watched: Recovery) -> Recovery:
    """*watched* after people went somewhere else: nothing can be seen any more."""
    return Recovery(RecoveryState.UNKNOWN, watched.case_id, why=Why.CHANGED)


def acted_at(rollback: Rollback) -> datetime:
    """Return when *rollback* was started: by the click that made the quorum."""
    return rollback.execution.clicked_at or rollback.opened_at


def verified_at(rollback: Rollback) -> datetime:
    """Return when *rollback* was read back; of one that ended in a copy, when it ended."""
    return rollback.execution.verified_at or rollback.finished_at or rollback.opened_at


def meant(firings: Sequence[Firing], finding: Finding | None) -> Firing:
    """Return the alert that the trouble began with: the first since the onset that was found.

    *firings* are those of the case, at least one.
    """
    onset = finding.onset_from if finding is not None else None
    since = [firing for firing in firings if onset is None or firing.starts_at >= onset]
    return min(since or firings, key=lambda firing: firing.starts_at)


def began(first: Firing, finding: Finding | None, *, waited: timedelta) -> datetime:
    """Return when the trouble that *first* tells of began at the earliest.

    Without an onset that was found its rule fired after having *waited*.
    """
    if finding is not None and finding.onset_from is not None:
        return min(finding.onset_from, first.starts_at)
    return first.starts_at - waited


def times(rollback: Rollback, began: datetime, since: datetime | None) -> dict[str, Json]:
    """Return the seconds from the alert's first firing, at *began*, to each step of the way.

    A step that was not made is left out: what a person asked for was not suggested. *since* is
    when it had recovered.
    """
    suggested = rollback.opened_at if rollback.requested_by == KEYTURN else None
    steps = {
        "suggested": suggested,
        "quorum": rollback.execution.clicked_at,
        "verified": rollback.execution.verified_at,
        "recovered": since,
    }
    return {
        f"seconds_to_{name}": round((at - began).total_seconds(), 1)
        for name, at in steps.items()
        if at is not None
    }


def seconds_to_recovered(rollback: Rollback) -> float | None:
    """Return the seconds from verified live to the first good moment; None if there is none.

    An alert may have ended between the publish and the read-back: that is at once.
    """
    since = rollback.recovery.since if rollback.recovery is not None else None
    if since is None:
        return None
    return round(max((since - verified_at(rollback)).total_seconds(), 0.0), 1)
