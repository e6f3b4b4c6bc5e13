"""What must fit together about Prometheus, and its settings out of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from bot.adapters.prometheus.questions import Questions, Templates
from bot.config import tables
from bot.config.fields import secure
from bot.config.mistakes import Mistakes, at
from bot.config.raw import Raw
from bot.config.raw import tables as tables_of
from bot.config.settings import PrometheusSettings
from store.records import AppEnv

PROMETHEUS = "prometheus"
_TOKEN = ("token_env", "token_file")
_PASSWORD = ("password_env", "password_file")


def _one_way_in(raw: Raw, mistakes: Mistakes) -> None:
    """Nothing, a token from one source, or a user with a password from one source."""
    given = {key for key in ("user", *_TOKEN, *_PASSWORD) if at(raw, PROMETHEUS, key) is not None}
    for keys in (_TOKEN, _PASSWORD):
        if len(given.intersection(keys)) > 1:
            mistakes.add((PROMETHEUS,), f"needs only one of {' and '.join(keys)}")
    if given.intersection(_TOKEN) and given - set(_TOKEN):
        sentence = "has a token and a user or password; remove what is not to be used"
        mistakes.add((PROMETHEUS,), sentence)
    elif "user" in given and not given.intersection(_PASSWORD):
        mistakes.add((PROMETHEUS,), "needs password_env or password_file with its user")
    elif "user" not in given and given.intersection(_PASSWORD):
        mistakes.add((PROMETHEUS, "user"), "is missing; the password is that of a user")


def _secrets_travel_safely(raw: Raw, mistakes: Mistakes) -> None:
    url = at(raw, PROMETHEUS, "url")
    secret = any(at(raw, PROMETHEUS, key) is not None for key in (*_TOKEN, *_PASSWORD))
    plain = isinstance(url, str) and url.startswith("http://") and not secure(url)
    if secret and plain and at(raw, PROMETHEUS, "allow_http") is not True:
        sentence = "must begin with https://, or set allow_http = true beside it if you must"
        mistakes.add((PROMETHEUS, "url"), sentence)


def _somebody_is_asked(raw: Raw, mistakes: Mistakes) -> None:
    if at(raw, PROMETHEUS) is not None:
        return
    for app in tables_of(raw, "app"):
        if at(raw, "app", app, "metrics") is not None:
            path = ("app", app, "metrics")
            mistakes.add(path, "nobody is asked for these; add a [prometheus] table with its url")


MEASURING_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _one_way_in,
    _secrets_travel_safely,
    _somebody_is_asked,
)


def prometheus(
    document: tables.Document, secrets: Mapping[str, SecretStr]
) -> PrometheusSettings | None:
    """The settings of `[prometheus]`, with *secrets* by their kinds; None without that table."""
    table = document.prometheus
    if table is None:
        return None
    return PrometheusSettings(
        url=table.url,
        questions=_questions(document, table),
        token=secrets.get("token"),
        user=table.user or "",
        password=secrets.get("password"),
        step=table.step,
        lookback=table.lookback,
        timeout=table.timeout,
    )


def _questions(document: tables.Document, table: tables.PrometheusTable) -> Questions:
    usual = Templates(table.errors, table.latency, table.load, table.other)
    return Questions(
        usual=usual,
        own={
            name: _own(app.metrics, usual)
            for name, app in document.app.items()
            if app.metrics != tables.MetricsTable()
        },
        called={
            AppEnv(name, env): AppEnv(
                place.labels.app or app.labels.app or name,
                place.labels.env or app.labels.env or env,
            )
            for name, app in document.app.items()
            for env, place in app.environments.items()
        },
    )


def _own(table: tables.MetricsTable, usual: Templates) -> Templates:
    return Templates(
        errors=table.errors or usual.errors,
        latency=table.latency or usual.latency,
        load=table.load or usual.load,
        other={**usual.other, **table.other},
    )
