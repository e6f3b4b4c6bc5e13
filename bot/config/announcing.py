"""What must fit together about sinks of events, and their settings out of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.adapters.eventhook.wire import key_of
from bot.adapters.kafka.client import installed
from bot.config import tables
from bot.config.fields import duration, secure, wrong
from bot.config.mistakes import Mistakes, at
from bot.config.raw import Raw, environment_exists, texts
from bot.config.raw import tables as tables_of
from bot.config.settings import EventSink
from bot.config.variables import named_secret

EVENTS = "events"
_SECRET = ("secret_env", "secret_file")
_PASSWORD = ("password_env", "password_file")
_OWN: Mapping[str, frozenset[str]] = {
    "webhook": frozenset({"url", "allow_http", *_SECRET}),
    "file": frozenset({"path", "rotate_at_mb", "keep"}),
    "kafka": frozenset({"brokers", "topic", "tls", "ca_file", "mechanism", "user", *_PASSWORD}),
}
_NEEDED = {"webhook": ("url",), "file": ("path",), "kafka": ("brokers", "topic")}


def _a_kind_has_its_keys(raw: Raw, mistakes: Mistakes) -> None:
    for name, table in tables_of(raw, EVENTS).items():
        kind = at(raw, EVENTS, name, "kind")
        if not isinstance(kind, str) or kind not in _OWN or not isinstance(table, Mapping):
            continue
        for needed in _NEEDED[kind]:
            if not table.get(needed):
                mistakes.add((EVENTS, name, needed), f"is missing; a {kind} needs it")
        others = frozenset().union(*(own for of, own in _OWN.items() if of != kind)) - _OWN[kind]
        for key in sorted(others & set(table)):
            mistakes.add((EVENTS, name, key), f"is of no use to a {kind}; remove it")


def _a_webhook_is_signed(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, EVENTS):
        if at(raw, EVENTS, name, "kind") != "webhook":
            continue
        given = [key for key in _SECRET if at(raw, EVENTS, name, key) is not None]
        if len(given) != 1:
            sentence = "needs exactly one of secret_env and secret_file: events are signed with it"
            mistakes.add((EVENTS, name), sentence)
        url = at(raw, EVENTS, name, "url")
        plain = isinstance(url, str) and url.startswith("http://") and not secure(url)
        if plain and at(raw, EVENTS, name, "allow_http") is not True:
            sentence = "must begin with https://, or set allow_http = true beside it if you must"
            mistakes.add((EVENTS, name, "url"), sentence)


def _a_login_is_whole(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, EVENTS):
        given = {
            key
            for key in ("mechanism", "user", *_PASSWORD)
            if at(raw, EVENTS, name, key) is not None
        }
        passwords = given & set(_PASSWORD)
        if given and not ({"mechanism", "user"} <= given and len(passwords) == 1):
            sentence = "needs mechanism, user and one of password_env and password_file to log in"
            mistakes.add((EVENTS, name), sentence)
        if (
            at(raw, EVENTS, name, "ca_file") is not None
            and at(raw, EVENTS, name, "tls") is not True
        ):
            mistakes.add((EVENTS, name, "ca_file"), "is of use only with tls = true")


def _kafka_is_installed(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, EVENTS):
        if at(raw, EVENTS, name, "kind") == "kafka" and not installed():
            mistakes.add(
                (EVENTS, name), "needs a library; install Keyturn with its extra: keyturn[kafka]"
            )


def _what_is_sent_is_kept(raw: Raw, mistakes: Mistakes) -> None:
    """An event that may still be sent must not be cleared away."""
    kept = _time(at(raw, "retention", EVENTS) or "90d")
    for name in tables_of(raw, EVENTS):
        given_up = _time(at(raw, EVENTS, name, "give_up_after") or "3d")
        if kept is not None and given_up is not None and given_up >= kept:
            path = (EVENTS, name, "give_up_after")
            mistakes.add(path, "must be shorter than retention.events")


def _two_files_are_two(raw: Raw, mistakes: Mistakes) -> None:
    seen: dict[str, str] = {}
    for name in tables_of(raw, EVENTS):
        path = at(raw, EVENTS, name, "path")
        if isinstance(path, str) and seen.setdefault(path, name) != name:
            mistakes.add((EVENTS, name, "path"), f"is the file of events.{seen[path]} already")


def _environments_exist(raw: Raw, mistakes: Mistakes) -> None:
    """A sink of an environment that no app has would never get an event."""
    for name in tables_of(raw, EVENTS):
        for env in texts(at(raw, EVENTS, name, "envs")):
            environment_exists(raw, env, (EVENTS, name, "envs"), mistakes)


EVENT_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _a_kind_has_its_keys,
    _a_webhook_is_signed,
    _a_login_is_whole,
    _kafka_is_installed,
    _what_is_sent_is_kept,
    _two_files_are_two,
    _environments_exist,
)


def secrets(
    raw: Raw, folder: Path, variables: Mapping[str, str], mistakes: Mistakes
) -> dict[str, SecretStr]:
    """What each sink is signed with, or its password, from the variable or file that is named."""
    found = {}
    for name, table in tables_of(raw, EVENTS).items():
        for kind in ("secret", "password"):
            path = (EVENTS, name, kind)
            secret = named_secret(table, path, folder, variables, mistakes)
            if secret and kind == "secret" and not _is_key(secret):
                mistakes.add(path, "must have base64 behind whsec_")
            elif secret:
                found[name] = SecretStr(secret)
    return found


def variables_of(raw: Raw) -> list[object]:
    """The variables that the tables name."""
    keys = ("secret_env", "password_env")
    return [at(raw, EVENTS, name, key) for name in tables_of(raw, EVENTS) for key in keys]


def sinks(
    document: tables.Document, folder: Path, secret_of: Mapping[str, SecretStr]
) -> dict[str, EventSink]:
    """The settings of every `[events.NAME]`."""
    return {
        name: EventSink(
            kind=table.kind,
            types=tuple(table.types),
            envs=tuple(table.envs),
            from_start=table.from_ == "start",
            give_up_after=table.give_up_after,
            timeout=table.timeout,
            url=table.url or "",
            path=folder / (table.path or ""),
            most_bytes=table.rotate_at_mb * 1024 * 1024,
            keep=table.keep,
            brokers=tuple(table.brokers),
            topic=table.topic or "",
            tls=table.tls,
            ca_file=str(folder / table.ca_file) if table.ca_file else "",
            mechanism=table.mechanism or "",
            user=table.user or "",
            secret=secret_of.get(name),
        )
        for name, table in document.events.items()
    }


def _is_key(secret: str) -> bool:
    try:
        return bool(key_of(secret))
    except ValueError:
        return False


def _time(value: object) -> timedelta | None:
    try:
        return duration(value)
    except type(wrong("")):
        return None
