"""Which schema this release needs, and which others it bears."""

from __future__ import annotations

HEAD = "0016"  # of store/migrations/versions


def newer(revision: str) -> bool:
    """Whether a later release has made the schema: migrations only add, so it holds all of ours.

    Replicas are replaced one after the other, and the database is migrated before the first.
    """
    return len(revision) == len(HEAD) and revision.isdecimal() and revision > HEAD
