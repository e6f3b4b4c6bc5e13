"""A delivery as it is written down when it is acknowledged, and read when it is filed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from store.driver_values import safe_text, utc_of
from store.records import (
    AppEnv,
    Delivery,
    Firing,
    FiringStatus,
    Unreadable,
    Unstorable,
)

FORM: Final = 1  # of `content`; one of a later version is left to that version
_LARGEST: Final = 2**63 - 1
Entry = tuple[bool, int, int, str, bytes]  # whether it is watched, alerts, size, content, body


def entry(delivery: Delivery) -> Entry:
    """What is written down of *delivery*.

    Raises:
        Unstorable, NaiveTime: It could not be filed later.
    """
    texts = (delivery.source, delivery.receiver, delivery.group_key, delivery.digest)
    firings = [_told(one) for one in delivery.firings]
    if not 0 <= delivery.truncated <= _LARGEST:
        raise Unstorable("more alerts were cut off than can be counted")
    told = [*map(safe_text, texts), delivery.truncated, delivery.group_labels, firings]
    try:
        content = orjson.dumps(told)
    except TypeError as error:
        raise Unstorable(f"not JSON: {error}") from error
    watched = any(one.where for one in delivery.firings)
    size = len(content) + len(delivery.body)
    return watched, len(firings), size, content.decode(), delivery.body


def _told(firing: Firing) -> tuple[object, ...]:
    where, labels = firing.where, firing.labels
    for value in (firing.source, firing.fingerprint, labels.get("app", ""), labels.get("env", "")):
        safe_text(value)
    return (
        firing.source,
        firing.fingerprint,
        utc_of(firing.starts_at),
        utc_of(firing.ends_at) if firing.ends_at is not None else None,
        firing.status,
        labels,
        firing.annotations,
        (where.app, where.env) if where else None,
    )


def delivery_of(row: Any) -> Delivery:
    """What `entry` wrote down, of a row of `arrival`.

    Raises:
        Unreadable: It is something else.
    """
    try:
        told = orjson.loads(row.content)
        source, receiver, group_key, digest, truncated, group_labels, firings = told
        return Delivery(
            source=source,
            receiver=receiver,
            group_key=group_key,
            digest=digest,
            truncated=truncated,
            firings=tuple(map(_firing, firings)),
            body=row.body,
            group_labels=group_labels,
        )
    except (ValueError, TypeError) as error:
        raise Unreadable(f"arrival {row.id} cannot be read") from error


def _firing(told: Sequence[Any]) -> Firing:
    source, fingerprint, starts_at, ends_at, status, labels, annotations, where = told
    if not (isinstance(labels, dict) and isinstance(annotations, dict)):
        raise TypeError("labels are no map")
    return Firing(
        source=source,
        fingerprint=fingerprint,
        starts_at=datetime.fromisoformat(starts_at),
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        status=FiringStatus(status),
        labels=labels,
        annotations=annotations,
        where=AppEnv(*where) if where else None,
    )
