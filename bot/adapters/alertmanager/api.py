"""What is said to Alertmanager's API v2, and what it answers. Pure: no I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import orjson

from bot.adapters.alertmanager import wire
from bot.domain.announced import Announced
from bot.domain.matchers import Matcher
from bot.domain.naming import LabelMap
from bot.domain.silencing import CREATOR, Held
from bot.errors import AnswerUnreadable, BadInput, TooLarge
from bot.textsafe import visible
from store.records import AppEnv, Firing, Json

SYSTEM = "Alertmanager"
_OVER = "expired"
_SAID = 200  # characters of its own words


def alert(told: Announced) -> dict[str, Json]:
    """*told* as an item of `POST /alerts`."""
    return {
        "labels": dict(told.labels),
        "annotations": dict(told.annotations),
        "startsAt": _when(told.starts_at),
        "endsAt": _when(told.ends_at),
    }


def silence(
    matchers: Sequence[Matcher], *, since: datetime, until: datetime, comment: str
) -> dict[str, Json]:
    """The body of `POST /silences`."""
    return {
        "matchers": [
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": matcher.regex,
                "isEqual": matcher.equal,
            }
            for matcher in matchers
        ],
        "startsAt": _when(since),
        "endsAt": _when(until),
        "createdBy": CREATOR,
        "comment": comment,
    }


def silence_id(body: bytes) -> str:
    """The id in the answer to `POST /silences`. Raises `AnswerUnreadable`."""
    found = _json(body)
    named = found.get("silenceID") if isinstance(found, dict) else None
    if not isinstance(named, str) or not named:
        raise AnswerUnreadable(SYSTEM, "no id of the silence")
    return named


def held(body: bytes) -> list[Held]:
    """Our silences that are not over, of the answer to `GET /silences`.

    Raises:
        AnswerUnreadable: It is of another form.
    """
    found = _json(body)
    if not isinstance(found, list):
        raise AnswerUnreadable(SYSTEM, "no list of silences")
    return [_held(one) for one in found if isinstance(one, dict) and _is_ours(one)]


def firing(body: bytes, *, labels: LabelMap, known: Container[AppEnv]) -> list[Firing]:
    """The alerts of the answer to `GET /alerts`, read like those of a webhook.

    Raises:
        AnswerUnreadable: It is of another form.
    """
    found = _json(body)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise AnswerUnreadable(SYSTEM, "no list of alerts")
    alerts = [{**one, "status": "firing"} for one in found]
    as_sent = {"version": wire.VERSION, "groupKey": "", "receiver": "", "alerts": alerts}
    try:
        read = wire.parse(orjson.dumps(as_sent), labels=labels, known=known)
    except (BadInput, TooLarge) as error:
        raise AnswerUnreadable(SYSTEM, str(error)) from error
    if read.unreadable:  # what is not read would be taken for what fires no more
        raise AnswerUnreadable(SYSTEM, f"{read.unreadable} alerts that cannot be read")
    return list(read.firings)


def up_since(body: bytes) -> datetime:
    """When it was started, of the answer to `GET /status`. Raises `AnswerUnreadable`."""
    found = _json(body)
    return _time(found.get("uptime") if isinstance(found, dict) else None)


def refusal(body: bytes) -> str:
    """Its own words of refusal: JSON of two forms, or a bare text."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = body.decode("utf-8", "replace")
    if isinstance(found, Mapping):
        found = found.get("message", "")
    return visible(" ".join(str(found).split()))[:_SAID]


def _is_ours(one: Mapping[str, Json]) -> bool:
    status = one.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    return one.get("createdBy") == CREATOR and state != _OVER


def _held(one: Mapping[str, Json]) -> Held:
    named, comment = one.get("id"), one.get("comment")
    if not isinstance(named, str) or not isinstance(comment, str):
        raise AnswerUnreadable(SYSTEM, "a silence without id or comment")
    return Held(named, comment, _time(one.get("endsAt")), _matchers(one.get("matchers")))


def _matchers(said: Json) -> frozenset[Matcher]:
    """Of a form that is not ours none: it is then taken for another silence, and replaced."""
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        return frozenset()
    return frozenset(
        Matcher(
            str(one.get("name")),
            str(one.get("value")),
            regex=one.get("isRegex") is True,
            equal=one.get("isEqual") is not False,
        )
        for one in said
    )


def _json(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise AnswerUnreadable(SYSTEM, "no JSON") from error


def _time(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise AnswerUnreadable(SYSTEM, "a time of another form") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _when(at: datetime) -> str:
    """In milliseconds, upwards: what Alertmanager keeps of a time is not more."""
    rounded = at.astimezone(UTC) + timedelta(microseconds=-at.microsecond % 1000)
    return rounded.isoformat(timespec="milliseconds").replace("+00:00", "Z")
