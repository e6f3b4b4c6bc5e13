"""When a case is over."""

from __future__ import annotations

from collections.abc import Iterable

from store.records import Case, CaseState, Firing, FiringStatus, Rollback, State


def another_incident(rollback: Rollback, firings: Iterable[Firing]) -> bool:
    """Return whether one of *firings* began after *rollback* had ended, so that it is not its."""
    ended = rollback.finished_at
    return not rollback.open and any(ended and firing.starts_at > ended for firing in firings)


def over(case: Case, *, rollback: Rollback | None, firings: Iterable[Firing]) -> bool:
    """Return whether *case* can be closed: nothing is open in it and nothing is still firing.

    A case that is still to be looked at stays open, and so does one that was opened for a
    request whose rollback is not there yet: without a rollback, a firing and anything found there
    is nothing that could have ended.

    A rollback that was verified ends its case, whatever still fires: an alert that begins
    afterwards is another incident and opens another case.

    Args:
        case: An open case; a closed one is not over again.
        rollback: The case's newest rollback, None when it never had one.
        firings: All firings that the case has taken in.
    """
    alerts = tuple(firings)
    if case.state is CaseState.CLOSED or case.assess_at is not None:
        return False
    if rollback is not None and rollback.state is State.COMPLETED:
        return True
    if any(alert.status is FiringStatus.FIRING for alert in alerts):
        return False
    if rollback is None:
        return bool(alerts) or case.finding is not None
    return not rollback.open
