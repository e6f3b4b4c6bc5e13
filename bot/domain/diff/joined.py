"""The differences of several apps as one list to look at; what votes bind to stays per app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.diff.changes import ChangeList


def joined(differences: Sequence[tuple[str, ChangeList]]) -> ChangeList:
    """Return all changes of *differences* (app, its changes), app after app, each named by it.

    Of one app alone they come back as they are. The digest of the result binds nobody.
    """
    if len(differences) == 1:
        return differences[0][1]
    return ChangeList(
        tuple(
            replace(change, subject=f"{app} · {change.subject}")
            for app, changes in differences
            for change in changes.changes
        )
    )
