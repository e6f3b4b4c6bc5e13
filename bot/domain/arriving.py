"""What of a webhook's alerts is the same, whoever sent it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson

from store.records import Firing, FiringStatus


def once(firings: Sequence[Firing]) -> tuple[Firing, ...]:
    """Each (fingerprint, start) once, in the order given; of two, the resolved one stays."""
    if len(firings) == 1:  # as most come
        return tuple(firings)
    kept: dict[tuple[str, datetime], Firing] = {}
    for firing in firings:
        key = (firing.fingerprint, firing.starts_at)
        if key not in kept or firing.status is FiringStatus.RESOLVED:
            kept[key] = firing
    return tuple(kept.values())


def digest(group_key: str, firings: Iterable[Firing]) -> str:
    """What a repeat has in common with the first: group, and each alert with start and status.

    64 hex digits; the order of *firings* changes nothing.
    """
    alerts = [(f.fingerprint, f.starts_at.isoformat(), f.status) for f in firings]
    alerts.sort()
    return hashlib.sha256(orjson.dumps([group_key, alerts])).hexdigest()
