"""One record of each kind, made once."""

from __future__ import annotations

import functools
from datetime import datetime

from tests.incidents.generating import one
from tests.incidents.kinds import Mix
from tests.incidents.record import Record


@functools.cache
def example(kind: str) -> Record:
    """Return a record of *kind*; do not change it."""
    return one(20, 0, Mix.HARD, kind)


def seconds(text: str) -> float:
    """Return a time of a record as seconds."""
    return datetime.fromisoformat(text).timestamp()


def trigger(record: Record) -> Record:
    """Return the alert that the decision is about."""
    (found,) = [alert for alert in record["alerts"] if alert["trigger"]]
    return dict(found)


def versions_of(record: Record, key: str) -> list[Record]:
    """Return the versions of `app/env` in the record's order."""
    return [v for v in record["versions"] if f"{v['app']}/{v['env']}" == key]
