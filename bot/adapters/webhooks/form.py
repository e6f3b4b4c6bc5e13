"""How the alerts of a sender are read out of its bodies. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from bot.adapters.webhooks.pointer import MISSING, Constant, Place, Pointer
from bot.domain.arriving import digest, once
from bot.domain.naming import LabelMap
from bot.errors import BadInput, TooLarge
from store.records import AppEnv, Delivery, Firing, FiringStatus, Json

MAX_BYTES = 4 * 1024 * 1024
MAX_ALERTS = 1_000
MAX_TEXT = 64 * 1024
_FIRST, _LAST = 0.0, 253402300799.0  # 1970 to 9999
_MILLISECONDS = 1e11  # more seconds than that is the year 5138
_FRACTION = re.compile(r"(?<=:\d\d)\.(\d+)")
_NUMBER = re.compile(r"\d{1,17}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True)
class Form:
    """What stands where in the bodies of one sender.

    `alerts` leads to the list of alerts; None where the body is one alert. `fingerprint` are the
    fields that make an alert the same one; none are all its labels. The words of `firing` and
    `resolved` are compared without regard to case; what says one of `ignored` is left out.
    """

    source: str
    status: Place
    name: Place
    starts_at: Pointer
    firing: frozenset[str]
    resolved: frozenset[str]
    ignored: frozenset[str] = frozenset()
    alerts: Pointer | None = None
    ends_at: Pointer | None = None
    fingerprint: tuple[Place, ...] = ()
    labels: Mapping[str, Place] = field(default_factory=dict)
    annotations: Mapping[str, Place] = field(default_factory=dict)


def read(body: bytes, form: Form, *, labels: LabelMap, known: Container[AppEnv]) -> Delivery:
    """Read one body of *form*.

    An alert that cannot be read is counted and left out, so that the others with it are not lost.

    Raises:
        TooLarge: More than `MAX_BYTES` bytes or `MAX_ALERTS` alerts.
        BadInput: It will never be read, or none of its alerts; the message names the place and
            quotes nothing.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes")
    message = _json(body)
    alerts = _alerts(message, form)
    found: list[Firing] = []
    refused: list[BadInput] = []
    for at, alert in enumerate(alerts):
        where = f"alert {at + 1}: " if form.alerts else ""
        try:
            found += _Reading(form, alert, message, where).firing(labels, known)
        except BadInput as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    firings = once(found)
    return Delivery(
        source=form.source,
        receiver=form.source,
        group_key=form.source,
        digest=digest(form.source, firings),
        truncated=0,
        firings=firings,
        body=body,
        unreadable=len(refused),
    )


def _json(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise BadInput("the body is not JSON") from error


def _alerts(message: Json, form: Form) -> list[Json]:
    if form.alerts is None:
        return [message]
    found = form.alerts.find(message, message)
    if not isinstance(found, list):
        raise BadInput(f"{form.alerts or 'the body'} is not a list")
    if len(found) > MAX_ALERTS:
        raise TooLarge(f"more than {MAX_ALERTS} alerts")
    return found


@dataclass(frozen=True)
class _Reading:
    """One alert that is being read; `at` says in errors which one it is."""

    form: Form
    alert: Json
    body: Json
    at: str

    def firing(self, labels: LabelMap, known: Container[AppEnv]) -> Iterator[Firing]:
        """Yield the alert, or nothing where it is to be ignored."""
        form = self.form
        status = self._status()
        if status is None:
            return
        starts_at = self._time(form.starts_at, "starts_at")
        if starts_at is None:
            raise self._wrong(form.starts_at, "starts_at", "is missing")
        resolved = status is FiringStatus.RESOLVED
        own = {**self._texts(form.labels, "labels"), "alertname": self._text(form.name, "name")}
        yield Firing(
            source=form.source,
            fingerprint=self._fingerprint(own),
            starts_at=starts_at,
            status=status,
            labels=own,
            annotations=self._texts(form.annotations, "annotations"),
            ends_at=self._time(form.ends_at, "ends_at") if form.ends_at and resolved else None,
            where=labels.where(own, known),
        )

    def _status(self) -> FiringStatus | None:
        said = self._text(self.form.status, "status").casefold()
        if said in self.form.firing:
            return FiringStatus.FIRING
        if said in self.form.resolved:
            return FiringStatus.RESOLVED
        if said in self.form.ignored:
            return None
        raise self._wrong(self.form.status, "status", "is no word that the mapping knows")

    def _fingerprint(self, own: Mapping[str, str]) -> str:
        parts: object = sorted(own.items())
        if self.form.fingerprint:
            parts = [self._text(place, "fingerprint") for place in self.form.fingerprint]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]

    def _texts(self, places: Mapping[str, Place], key: str) -> dict[str, str]:
        """The texts by their names; what is not there or empty is left out."""
        found = {name: self._maybe(place, f"{key}.{name}") for name, place in places.items()}
        return {name: text for name, text in found.items() if text}

    def _text(self, place: Place, key: str) -> str:
        text = self._maybe(place, key)
        if not text:
            raise self._wrong(place, key, "is missing or empty")
        return text

    def _maybe(self, place: Place, key: str) -> str:
        if isinstance(place, Constant):
            return place.text
        value = place.find(self.alert, self.body)
        if value is MISSING or value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise self._wrong(place, key, "is neither a text nor a number")
        return _clean(str(value))

    def _time(self, pointer: Pointer, key: str) -> datetime | None:
        """A time as RFC 3339 has it, or in seconds or milliseconds since 1970."""
        text = self._maybe(pointer, key)
        if not text:
            return None
        try:
            return _unix(float(text)) if _NUMBER.fullmatch(text) else _rfc3339(text)
        except (ValueError, OverflowError):
            raise self._wrong(pointer, key, "is not a time with a zone") from None

    def _wrong(self, place: Place, key: str, why: str) -> BadInput:
        where = f" ({place})" if isinstance(place, Pointer) else ""
        return BadInput(f"{self.at}{key}{where} {why}")


def _unix(number: float) -> datetime:
    seconds = number / 1000 if number > _MILLISECONDS else number
    if not _FIRST < seconds < _LAST:
        raise ValueError("no time of ours")
    return datetime.fromtimestamp(seconds, UTC)


def _rfc3339(text: str) -> datetime:
    """Cut to microseconds, which is all that is kept."""
    cut = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text)
    time = datetime.fromisoformat(cut)
    if time.tzinfo is None:
        raise ValueError("without a zone")
    return time.astimezone(UTC)


def _clean(text: str) -> str:
    """Any Unicode, but no NUL: PostgreSQL stores none."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text.replace("\0", "\N{SYMBOL FOR NULL}")
