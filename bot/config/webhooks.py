"""What must fit together about senders that are mapped, and their forms out of the tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from bot.adapters.webhooks.form import Form
from bot.adapters.webhooks.pointer import Pointer, place
from bot.config import tables
from bot.config.mistakes import Mistakes, at, did_you_mean
from bot.config.raw import Raw, environment_exists, texts
from bot.config.raw import tables as tables_of
from bot.config.settings import WebhookSettings
from bot.config.variables import named_secret
from bot.domain import drill
from bot.domain.quorum import KEYTURN

WEBHOOK = "webhook"
_DOORS: Final = frozenset({"alertmanager", "grafana", drill.SOURCE})  # and sources of our own
_ACTORS: Final = frozenset({KEYTURN, "operator"})  # in the audit trail, where senders stand too
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+")


def _names_are_doors(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, WEBHOOK):
        if name in _DOORS:
            mistakes.add((WEBHOOK, name), "is a door of Keyturn's own; choose another name")
        elif name in _ACTORS:
            mistakes.add(
                (WEBHOOK, name), "is somebody else in the audit trail; choose another name"
            )
        elif not _NAME.fullmatch(name):
            sentence = "a name has small letters, digits and -, since it is part of an address"
            mistakes.add((WEBHOOK, name), sentence)


def _each_has_one_token(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, WEBHOOK):
        given = [at(raw, WEBHOOK, name, key) is not None for key in ("token_env", "token_file")]
        if sum(given) != 1:
            mistakes.add((WEBHOOK, name), "needs exactly one of token_env and token_file")


def _words(raw: Raw, name: str) -> Iterator[tuple[str, str]]:
    """Each word for a status, with the key that has it."""
    for key, usual in (("firing", ["firing"]), ("resolved", ["resolved"]), ("ignored", [])):
        given = at(raw, WEBHOOK, name, key)
        yield from ((word, key) for word in (usual if given is None else texts(given)))


def _words_are_told_apart(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables_of(raw, WEBHOOK):
        seen: dict[str, str] = {}
        for word, key in _words(raw, name):
            first = seen.setdefault(word.casefold(), key)
            if first != key:
                sentence = f'"{word}" is among {first} too; an alert is one of them'
                mistakes.add((WEBHOOK, name, key), sentence)


def _a_status_is_understood(raw: Raw, mistakes: Mistakes) -> None:
    """A text that is no word of the sender's would have every alert refused."""
    for name in tables_of(raw, WEBHOOK):
        fixed = _fixed(at(raw, WEBHOOK, name, "status"))
        known = {word.casefold() for word, _ in _words(raw, name)}
        if fixed and fixed.casefold() not in known:
            sentence = f'is no word of firing, resolved or ignored; a pointer is "/{fixed}"'
            mistakes.add((WEBHOOK, name, "status"), sentence)


def _alerts_name_an_app(raw: Raw, mistakes: Mistakes) -> None:
    app, matched = at(raw, "alerts", "labels", "app") or "app", bool(_matches(raw))
    for name in tables_of(raw, WEBHOOK):
        labels = tables_of(raw, WEBHOOK, name, "labels")
        if "alertname" in labels:
            mistakes.add((WEBHOOK, name, "labels", "alertname"), "stands as `name` beside labels")
        if app not in labels and not matched:
            sentence = f'must have "{app}", which names the app of an alert ([alerts] labels)'
            mistakes.add((WEBHOOK, name, "labels"), sentence)


def _fixed_labels_mean_an_app(raw: Raw, mistakes: Mistakes) -> None:
    """What is the same in every alert must be the app or the environment of one.

    Not where a `match` may give it another meaning, nor, of an app, where names come from Dify.
    """
    app = str(at(raw, "alerts", "labels", "app") or "app")
    env = str(at(raw, "alerts", "labels", "env") or "env")
    matches, apps = _matches(raw), sorted(tables_of(raw, "app"))
    included = any(at(raw, "dify", name, "include") for name in tables_of(raw, "dify"))
    for name in tables_of(raw, WEBHOOK):
        path = (WEBHOOK, name, "labels")
        fixed = _fixed(at(raw, *path, app))
        if fixed and apps and not (fixed in apps or matches or included):
            sentence = f'no app is called "{fixed}"{did_you_mean(fixed, apps)}'
            mistakes.add((*path, app), sentence)
        fixed = _fixed(at(raw, *path, env))
        if fixed and not any(env in match for match in matches):
            environment_exists(raw, fixed, (*path, env), mistakes)


def _matches(raw: Raw) -> list[Mapping[str, object]]:
    """Every `match` table, of an app or of one in an environment."""
    apps = tables_of(raw, "app")
    found = [tables_of(raw, "app", app, "match") for app in apps]
    for app in apps:
        here = tables_of(raw, "app", app, "environments")
        found += [tables_of(raw, "app", app, "environments", env, "match") for env in here]
    return [match for match in found if match]


def _fixed(text: object) -> str:
    """A *text* that is the same in every body; "" for a pointer, or for what is no text at all."""
    return text if isinstance(text, str) and not text.startswith(("/", "#")) else ""


WEBHOOK_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _names_are_doors,
    _each_has_one_token,
    _words_are_told_apart,
    _a_status_is_understood,
    _alerts_name_an_app,
    _fixed_labels_mean_an_app,
)


def tokens(
    raw: Raw, folder: Path, variables: Mapping[str, str], mistakes: Mistakes
) -> dict[str, tuple[SecretStr, ...]]:
    """The tokens of each sender, several while one is being replaced."""
    found = {}
    for name, table in tables_of(raw, WEBHOOK).items():
        path = (WEBHOOK, name, "token")
        secret = named_secret(table, path, folder, variables, mistakes) or ""
        parts = [part for part in re.split(r"[\s,]+", secret) if part]
        if not all(map(_TOKEN.fullmatch, parts)):
            sentence = "must be of visible ASCII characters, since it is a header"
            mistakes.add(path, sentence)
        found[name] = tuple(SecretStr(part) for part in parts)
    return found


def senders(
    document: tables.Document, secrets: Mapping[str, Sequence[SecretStr]]
) -> dict[str, WebhookSettings]:
    """The senders by their names, with their *secrets*."""
    return {
        name: WebhookSettings(_form(name, table), tuple(secrets.get(name, ())))
        for name, table in document.webhook.items()
    }


def _form(name: str, table: tables.WebhookTable) -> Form:
    return Form(
        source=name,
        status=place(table.status),
        name=place(table.name),
        starts_at=_pointer(table.starts_at),
        firing=_folded(table.firing),
        resolved=_folded(table.resolved),
        ignored=_folded(table.ignored),
        alerts=_pointer(table.alerts) if table.alerts is not None else None,
        ends_at=_pointer(table.ends_at) if table.ends_at is not None else None,
        fingerprint=tuple(map(place, table.fingerprint)),
        labels={label: place(text) for label, text in table.labels.items()},
        annotations={key: place(text) for key, text in table.annotations.items()},
    )


def _pointer(text: str) -> Pointer:
    found = place(text)
    assert isinstance(found, Pointer)  # noqa: S101 - the field has checked it
    return found


def _folded(said: Sequence[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in said)
