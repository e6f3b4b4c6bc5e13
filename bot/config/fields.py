"""Kinds of values in the settings; each refuses with a sentence that says how to mend it."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from bot.adapters.prometheus import templates
from bot.adapters.webhooks.pointer import Pointer, place
from bot.domain import cloudevent
from bot.domain.tagging import RULE, is_tag
from bot.domain.windows import parse

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d{1,6}[smhd])+", re.ASCII)
_PART = re.compile(r"(\d+)([smhd])")
_MAX_DAYS = 366
_SLACK_ID = re.compile(r"[A-Z][A-Z0-9]{2,20}", re.ASCII)
_APP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_BAD_IN_NAMES = frozenset("@`<>&|,\"'/\\")
_MAX_NAME = 64
_MAX_PLACE = 300


def wrong(sentence: str) -> PydanticCustomError:
    """A mistake in the words of *sentence*, which names the mend and quotes no secret."""
    return PydanticCustomError("mend", "{sentence}", {"sentence": sentence})


def duration(value: object) -> timedelta:
    """Read `90s`, `30m`, `1h30m`, `2d`; a default of ours is one already."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise wrong('must be a time with its unit, such as "90s", "30m", "1h30m" or "2d"')
    seconds = sum(int(n) * _UNITS_S[unit] for n, unit in _PART.findall(value))
    if seconds > _MAX_DAYS * _UNITS_S["d"]:
        raise wrong(f'must be a year at most: "{_MAX_DAYS}d"')
    return timedelta(seconds=seconds)


def _between(least: str, most: str) -> AfterValidator:
    """A time from *least* to *most*, both as they are written in the file."""

    def check(value: timedelta) -> timedelta:
        if not duration(least) <= value <= duration(most):
            raise wrong(f'must be from "{least}" to "{most}"')
        return value

    return AfterValidator(check)


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise wrong("must be longer than nothing")
    return value


def _a_day(value: timedelta) -> timedelta:
    if value < timedelta(days=1):
        raise wrong('must be a day at least: "1d"')
    return value


def _an_hour(value: timedelta) -> timedelta:
    if value < timedelta(hours=1):
        raise wrong('must be an hour at least: "1h"')
    return value


def name(value: str) -> str:
    """The name of an app, environment or workspace: any language, but nothing that splits it."""
    if not value or len(value) > _MAX_NAME:
        raise wrong(f"a name has 1 to {_MAX_NAME} characters")
    if any(c in _BAD_IN_NAMES or c.isspace() or not c.isprintable() for c in value):
        raise wrong("a name has no blanks and none of @ ` < > & | , / \\ or quotes; rename it")
    return value


def tag(value: str) -> str:
    """The name of a tag."""
    if not is_tag(value):
        raise wrong(RULE)
    return value


def _window(value: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        raise wrong(str(error)) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise wrong('must be a time zone such as "UTC" or "Europe/Berlin"') from None
    return value


def _slack(kinds: str, what: str, example: str) -> AfterValidator:
    def check(value: str) -> str:
        if not _SLACK_ID.fullmatch(value) or value[0] not in kinds:
            raise wrong(f"must be {what}, such as {example} (Slack shows the id, not the name)")
        return value

    return AfterValidator(check)


def _app_id(value: str) -> str:
    if not _APP_ID.fullmatch(value):
        raise wrong("must be the app's id in Dify, as in its address: /app/ID/workflow")
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", value):
        raise wrong("must be the e-mail address of the account that Keyturn uses in Dify")
    return value


def url(value: str) -> str:
    """An http(s) address without account, query or fragment; the trailing slash goes."""
    try:
        parts = urlsplit(value)
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        raise wrong("is not an address; write https://HOST or https://HOST:PORT") from None
    plain = value.isprintable() and not re.search(r"[\s|<>\\]", value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise wrong("is not an address; write https://HOST or https://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not hold an account or a password")
    if parts.query or parts.fragment or not port_is_number:
        raise wrong("must end before any ? or #")
    if _link_local(parts.hostname):
        raise wrong("is a link-local address, where no service of yours lives")
    return value.rstrip("/")


def urls(value: object) -> object:
    """One address or a list of them, as a tuple, each once."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise wrong('must be an address such as "http://alertmanager:9093", or a list of them')
    return tuple(dict.fromkeys(url(v) for v in values))


def secure(value: str) -> bool:
    """True if nobody between us and *value* can listen: https, or the same machine."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme == "https" or loopback(parts.hostname or "")


def loopback(host: str) -> bool:
    """True for this machine's own names and addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _link_local(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_link_local


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _include(value: str) -> str:
    kind, _, tag = value.partition(":")
    if value != "all" and (kind != "tag" or not tag.strip() or len(tag) > _MAX_NAME):
        raise wrong('must be "all" or "tag:NAME" with the name of a tag in Dify')
    return value


def label_values(value: object) -> object:
    """One value or a list of them, as a tuple of texts that are not empty."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise wrong('must be a text such as "triage-api", or a list of texts')
    if not values:
        raise wrong("must hold at least one value")
    return tuple(values)


def _query(value: str) -> str:
    if sentence := templates.problem(value):
        raise wrong(sentence)
    return value


def _query_of_each_app(value: str) -> str:
    if not templates.names_the_app(_query(value)):
        raise wrong(
            'must name the app, such as {app="$app"}, or it would measure every app alike; '
            "what is one app's alone stands in [app.NAME] metrics"
        )
    return value


def _core(value: str) -> str:
    steps = value.split("/")
    if not all(steps) or any(c.isspace() or not c.isprintable() for c in value):
        raise wrong('must be a path such as "model/name", as `keyturn diff --format json` names it')
    return value


def _place(value: str) -> str:
    try:
        place(value)
    except ValueError as error:
        raise wrong(str(error)) from None
    if not value or len(value) > _MAX_PLACE or not value.isprintable():
        raise wrong('must be a JSON pointer such as "/labels/app", or a text')
    if value.startswith("#") and not isinstance(place(value), Pointer):
        raise wrong('begins with "#" and is no pointer; one from the top of the body is "#/labels"')
    return value


def _pointer(value: str) -> str:
    if not isinstance(place(_place(value)), Pointer):
        raise wrong('must be a JSON pointer, from the alert "/startsAt" or the body "#/alerts"')
    return value


def _word(value: str) -> str:
    if not value.strip() or value != value.strip() or len(value) > _MAX_NAME:
        raise wrong('must be a word such as "firing"')
    return value


def _user(value: str) -> str:
    if not value or len(value) > 200 or ":" in value or not value.isprintable():
        raise wrong("must be a user's name, without a colon")
    return value


def _sink_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", value, re.ASCII):
        raise wrong("a sink's name has small letters, digits, - and _, 40 at most")
    return value


def _event_type(value: str) -> str:
    if not cloudevent.known(value):
        raise wrong('is no type of event; "rollback.*" names several, docs/events.md has them all')
    return value


def _broker(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise wrong("must be HOST:PORT")
    if not re.fullmatch(r"[A-Za-z0-9._\-\[\]:]+", host, re.ASCII):
        raise wrong("must be HOST:PORT")
    return value


def _topic(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value, re.ASCII) or value in (".", ".."):
        raise wrong("must be a topic's name: letters, digits, dots, - and _")
    return value


Duration = Annotated[timedelta, BeforeValidator(duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_positive)]
DayOrMore = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_a_day)]
HourOrMore = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_an_hour)]
Step = Annotated[timedelta, BeforeValidator(duration), _between("15s", "5m")]
Lookback = Annotated[timedelta, BeforeValidator(duration), _between("1h", "24h")]
Bake = Annotated[timedelta, BeforeValidator(duration), _between("5m", "24h")]
Patience = Annotated[timedelta, BeforeValidator(duration), _between("1s", "30s")]
Query = Annotated[str, AfterValidator(_query)]
QueryOfEachApp = Annotated[str, AfterValidator(_query_of_each_app)]
Name = Annotated[str, AfterValidator(name)]
TagName = Annotated[str, AfterValidator(tag)]
TimeWindow = Annotated[str, AfterValidator(_window)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Place = Annotated[str, AfterValidator(_place)]
JsonPointer = Annotated[str, AfterValidator(_pointer)]
Word = Annotated[str, AfterValidator(_word)]
CoreParameter = Annotated[str, AfterValidator(_core)]
User = Annotated[str, AfterValidator(_user)]
SinkName = Annotated[str, AfterValidator(_sink_name)]
EventType = Annotated[str, AfterValidator(_event_type)]
Broker = Annotated[str, AfterValidator(_broker)]
Topic = Annotated[str, AfterValidator(_topic)]
Include = Annotated[str, AfterValidator(_include)]
LabelName = Annotated[str, Field(min_length=1, max_length=200)]
LabelValues = Annotated[tuple[str, ...], BeforeValidator(label_values)]
AppId = Annotated[str, AfterValidator(_app_id)]
Email = Annotated[str, AfterValidator(_email)]
Url = Annotated[str, AfterValidator(url)]
Urls = Annotated[tuple[str, ...], BeforeValidator(urls)]
Channel = Annotated[str, _slack("CG", "a channel's id", "C0123456789")]
Team = Annotated[str, _slack("TE", "a workspace's id", "T0123456789")]
Account = Annotated[str, _slack("UW", "a person's id", "U0123456789")]
Who = Annotated[str, _slack("UWS", "a person's or a user group's id", "U0123456789 or S0123456789")]
