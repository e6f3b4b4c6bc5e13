"""Bytes that Alertmanager sends -> records. Pure: no I/O, no clock.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config describes the body.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import orjson

from bot.domain.arriving import digest, once
from bot.domain.naming import LabelMap
from bot.errors import BadInput, TooLarge
from store.records import AppEnv, Delivery, Firing, FiringStatus, Truncated

MAX_BYTES = 16 * 1024 * 1024  # MAX_ALERTS of an ordinary size, and then some
MAX_ALERTS = 10_000
MAX_LABELS = 200
MAX_TEXT = 64 * 1024
VERSION = "4"
SOURCE = "alertmanager"

_ZERO_YEAR = 1  # Go's zero time, 0001-01-01T00:00:00Z: "has not ended"
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_FINGERPRINT = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_STATUSES = {status.value: status for status in FiringStatus}
_KINDS = {str: "text", list: "list"}
_T = TypeVar("_T", str, list[object])


def parse(
    body: bytes,
    *,
    labels: LabelMap,
    known: Container[AppEnv],
    source: str = SOURCE,
    version: str = VERSION,
) -> Delivery:
    """Read one webhook body of *version*: "4", as Alertmanager sends it.

    Alerts of apps outside *known* are kept with `where` None. An alert that has not ended
    has `ends_at` None. Empty label values count as absent, as in Alertmanager itself. A text
    of more than `MAX_TEXT` characters is cut, and an alert that cannot be read is counted and
    left out: what is refused is never sent again, and the others of its group with it.

    Raises:
        TooLarge: More than `MAX_BYTES` bytes or `MAX_ALERTS` alerts.
        BadInput: Anything else that will never parse, also where no alert of several can be
            read; the message quotes nothing of the body.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes")
    message = _object(_json(body), "the body")
    if _text(message, "version") != version:
        raise BadInput(f"version: only {version!r} is understood")
    alerts = _field(message, "alerts", list)
    if len(alerts) > MAX_ALERTS:
        raise TooLarge(f"more than {MAX_ALERTS} alerts")
    group_key = _text(message, "groupKey")
    read, refused = _readable(alerts, source, labels, known)
    if refused and not read:
        raise refused[0]
    firings = once(read)
    truncated = _truncated(message)
    cut_short = truncated and source == SOURCE  # others cannot be asked for the rest
    return Delivery(
        source=source,
        receiver=_text(message, "receiver"),
        group_key=group_key,
        digest=digest(group_key, firings),
        truncated=truncated,
        firings=firings,
        body=body,
        unreadable=len(refused),
        group_labels=_texts(message, "groupLabels", "the body") if cut_short else None,
    )


def question(group: Truncated) -> list[tuple[str, str]]:
    """The query for all alerts of *group* that fire now, of `GET /api/v2/alerts`.

    https://prometheus.io/docs/alerting/latest/configuration/#matcher has the form of a filter.
    """
    only = [(state, "false") for state in ("silenced", "inhibited", "unprocessed")]
    filters = [("filter", f"{name}={_quoted(value)}") for name, value in group.group_labels.items()]
    return [("active", "true"), *only, ("receiver", re.escape(group.receiver)), *filters]


def listed(
    body: bytes, group: Truncated, *, labels: LabelMap, known: Container[AppEnv]
) -> Delivery:
    """Read the answer to `question`: what a webhook with all alerts of *group* would have said.

    Raises:
        TooLarge, BadInput: As `parse`.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes")
    alerts = _json(body)
    if not isinstance(alerts, list):
        raise BadInput("the answer is not a list")
    if len(alerts) > MAX_ALERTS:
        raise TooLarge(f"more than {MAX_ALERTS} alerts")
    firing = [{**_object(alert, f"[{n}]"), "status": "firing"} for n, alert in enumerate(alerts)]
    read, refused = _readable(firing, group.source, labels, known)
    if refused and not read:
        raise refused[0]
    firings = once(read)
    return Delivery(
        source=group.source,
        receiver=group.receiver,
        group_key=group.group_key,
        digest=digest(group.group_key, firings),
        truncated=0,
        firings=firings,
        body=body,
        unreadable=len(refused),
    )


def _readable(
    alerts: Iterable[object], source: str, labels: LabelMap, known: Container[AppEnv]
) -> tuple[list[Firing], list[BadInput]]:
    """The alerts that can be read, and why each of the others cannot."""
    read: list[Firing] = []
    refused: list[BadInput] = []
    for at, alert in enumerate(alerts):
        path = f"alerts[{at}]"
        try:
            read.append(_firing(_object(alert, path), path, source, labels, known))
        except BadInput as error:
            refused.append(error)
    return read, refused


def _json(body: bytes) -> object:
    try:
        parsed: object = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise BadInput("the body is not JSON") from error
    return parsed


def _firing(
    alert: Mapping[str, object],
    path: str,
    source: str,
    labels: LabelMap,
    known: Container[AppEnv],
) -> Firing:
    own = _texts(alert, "labels", path)
    fingerprint = _text(alert, "fingerprint", path)
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise BadInput(f"{path}.fingerprint is not a hexadecimal number")
    starts_at = _time(alert, "startsAt", path)
    if starts_at is None:
        raise BadInput(f"{path}.startsAt is not a time")
    status = _STATUSES.get(_text(alert, "status", path))
    if status is None:
        raise BadInput(f"{path}.status is neither firing nor resolved")
    return Firing(
        source=source,
        fingerprint=fingerprint,
        starts_at=starts_at,
        status=status,
        labels=own,
        annotations=_texts(alert, "annotations", path),
        ends_at=_time(alert, "endsAt", path) if status is FiringStatus.RESOLVED else None,
        where=labels.where(own, known),
    )


def _truncated(message: Mapping[str, object]) -> int:
    """`truncatedAlerts`: absent in old Alertmanagers, else how many alerts were cut off."""
    count = message.get("truncatedAlerts", 0)
    if type(count) is not int or not 0 <= count < 2**31:
        raise BadInput("truncatedAlerts is not a count")
    return count


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadInput(f"{path} is not an object")
    return value


def _field(table: Mapping[str, object], key: str, kind: type[_T], path: str = "") -> _T:
    value = table.get(key)
    if not isinstance(value, kind):
        raise BadInput(f"{path}{'.' if path else ''}{key} is not a {_KINDS[kind]}")
    return value


def _text(table: Mapping[str, object], key: str, path: str = "") -> str:
    return _clean(_field(table, key, str, path))


def _texts(alert: Mapping[str, object], key: str, path: str) -> dict[str, str]:
    """A map of names to texts; empty values are left out. `null` is an empty map in Go."""
    table = alert.get(key)
    if table is None:
        return {}
    named = _object(table, f"{path}.{key}")
    if len(named) > MAX_LABELS:
        raise BadInput(f"{path}.{key} has more than {MAX_LABELS} entries")
    texts = {}
    for name, value in named.items():
        if not isinstance(value, str):
            raise BadInput(f"{path}.{key} holds a value that is not a text")
        if value:
            texts[_clean(name)] = _clean(value)
    return texts


def _clean(text: str) -> str:
    """Any Unicode, but no NUL (PostgreSQL stores none); lone surrogates are no JSON already."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def _time(alert: Mapping[str, object], key: str, path: str) -> datetime | None:
    """An RFC 3339 time in UTC, cut to milliseconds; None for Go's zero time.

    A webhook tells it to the nanosecond and API v2 to the millisecond: both mean one firing.
    """
    found = _RFC3339.fullmatch(_field(alert, key, str, path))
    if found is None:
        raise BadInput(f"{path}.{key} is not an RFC 3339 time with a zone")
    seconds, fraction, zone = found.groups()
    try:
        time = datetime.fromisoformat(f"{seconds}.{(fraction or '')[:3]:0<3}{zone}")
        if time.year == _ZERO_YEAR:
            return None
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{path}.{key} is not a time") from error
