"""What must fit together about Alertmanager, and its settings out of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from bot.config import tables
from bot.config.fields import secure
from bot.config.mistakes import Mistakes, at
from bot.config.raw import Raw, environment_exists, texts
from bot.config.settings import AlertmanagerSettings

ALERTMANAGER = "alertmanager"
_TOKEN = ("token_env", "token_file")


def _one_token(raw: Raw, mistakes: Mistakes) -> None:
    if all(at(raw, ALERTMANAGER, key) is not None for key in _TOKEN):
        mistakes.add((ALERTMANAGER,), f"needs only one of {' and '.join(_TOKEN)}")


def _the_token_travels_safely(raw: Raw, mistakes: Mistakes) -> None:
    url = at(raw, ALERTMANAGER, "url")
    addresses = [url] if isinstance(url, str) else texts(url)
    plain = [one for one in addresses if one.startswith("http://") and not secure(one)]
    token = any(at(raw, ALERTMANAGER, key) is not None for key in _TOKEN)
    if token and plain and at(raw, ALERTMANAGER, "allow_http") is not True:
        sentence = "must begin with https://, or set allow_http = true beside it if you must"
        mistakes.add((ALERTMANAGER, "url"), sentence)


def _silenced_environments_exist(raw: Raw, mistakes: Mistakes) -> None:
    for env in texts(at(raw, ALERTMANAGER, "silence")):
        environment_exists(raw, env, (ALERTMANAGER, "silence"), mistakes)


ALERTING_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _one_token,
    _the_token_travels_safely,
    _silenced_environments_exist,
)


def alertmanager(
    document: tables.Document, secrets: Mapping[str, SecretStr]
) -> AlertmanagerSettings:
    """The settings of `[alertmanager]`, with *secrets* by their kinds; empty without that table."""
    table = document.alertmanager
    if table is None:
        return AlertmanagerSettings()
    return AlertmanagerSettings(
        urls=table.url,
        token=secrets.get("token"),
        announce=table.announce,
        silence=frozenset(table.silence),
    )
