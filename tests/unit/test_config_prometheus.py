"""What is asked of Prometheus, and how it is reached; each mistake with its key path."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.prometheus.questions import Templates
from bot.config.load import load
from bot.config.settings import PrometheusSettings, Settings
from bot.errors import ConfigurationWrong
from bot.opening import authorization, look_back
from bot.renewal.changes import changed, digest
from store.records import AppEnv

TOKEN = "geheim-geheim"
APPS = """
[slack]
channel = "C0123456789"
[dify.prod]
url = "https://dify.example.com"
email = "a@b.c"
password_env = "DIFY_PASSWORD"
[app.triage]
labels = { app = "triage-api", env = "all" }
environments.prod = { target = "dify.prod", id = "1", labels = { env = "production" } }
environments.dev = { target = "dify.prod", id = "2" }
[app.triage.metrics]
errors = "triage_errors"
other = { queue = "own_queue" }
[app.search]
environments.prod = { target = "dify.prod", id = "3" }
"""
GOOD = f"""{APPS}
[prometheus]
url = "https://prometheus.example.com/"
other = {{ queue = 'queue{{app="$app"}}', tokens = 'tokens{{app="$app"}}' }}
token_env = "PROMETHEUS_TOKEN"
step = "30s"
lookback = "12h"
timeout = "2s"
"""


def read(folder: Path, text: str, **variables: str) -> Settings:
    file = folder / "keyturn.toml"
    file.write_text(text, encoding="utf-8")
    environ = {"DIFY_PASSWORD": "geheim", "PROMETHEUS_TOKEN": TOKEN, **variables}
    return load(environ, file)


def prometheus(folder: Path, text: str) -> PrometheusSettings:
    found = read(folder, text).prometheus
    assert found is not None
    return found


def test_everything_that_can_be_set_is_read(tmp_path: Path) -> None:
    found = prometheus(tmp_path, GOOD)

    assert found.url == "https://prometheus.example.com"
    times = (found.step, found.lookback, found.timeout)
    assert times == (timedelta(seconds=30), timedelta(hours=12), timedelta(seconds=2))
    assert authorization(found) == f"Bearer {TOKEN}"
    assert TOKEN not in repr(found)


def test_the_address_alone_is_enough(tmp_path: Path) -> None:
    found = prometheus(tmp_path, '[prometheus]\nurl = "http://prometheus:9090"')

    assert found.questions.usual == Templates()
    assert authorization(found) == ""
    assert read(tmp_path, "").prometheus is None


def test_an_app_has_queries_and_names_of_its_own(tmp_path: Path) -> None:
    questions = prometheus(tmp_path, GOOD).questions
    usual = {"queue": 'queue{app="$app"}', "tokens": 'tokens{app="$app"}'}

    assert questions.usual == Templates(other=usual)
    assert questions.own == {
        "triage": Templates(errors="triage_errors", other={**usual, "queue": "own_queue"})
    }
    assert questions.called == {
        AppEnv("triage", "prod"): AppEnv("triage-api", "production"),
        AppEnv("triage", "dev"): AppEnv("triage-api", "all"),
        AppEnv("search", "prod"): AppEnv("search", "prod"),
    }


def test_a_user_with_a_password_from_a_file_is_let_in(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p:ä\n", encoding="utf-8")
    text = GOOD.replace(
        'token_env = "PROMETHEUS_TOKEN"', 'user = "keyturn"\npassword_file = "password"'
    )

    assert authorization(prometheus(tmp_path, text)) == "Basic a2V5dHVybjpwOsOk"


def test_a_variable_that_holds_the_token_is_known(tmp_path: Path) -> None:
    text = GOOD.replace("PROMETHEUS_TOKEN", "KEYTURN_PROMETHEUS")

    assert read(tmp_path, text, KEYTURN_PROMETHEUS=TOKEN).notices == ()


@pytest.mark.parametrize(
    ("here", "instead", "told"),
    [
        ("step =", "errors = ''\nstep =", "prometheus.errors: must not be empty; leave"),
        ("step =", "errors = 'up'\nstep =", "prometheus.errors: must name the app, such as {"),
        ("step =", "load = 'up{a=\"$ap\"}'\nstep =", "prometheus.load: there is no $ap; known"),
        ("step =", "load = 'up{a=$app}'\nstep =", "prometheus.load: a placeholder stands in do"),
        ("step =", "latency = 'up{a=\"$app\"'\nstep =", "prometheus.latency: has a { that is n"),
        ("step =", "latency = 7\nstep =", "prometheus.latency: must be a text in quotes"),
        ("'tokens{app=\"$app\"}'", "'up'", "prometheus.other.tokens: must name the app"),
        ('"triage_errors"', '""', "app.triage.metrics.errors: must not be empty"),
        ('"own_queue"', '"("', "app.triage.metrics.other.queue: has a ( that is not closed"),
        ('app = "triage-api"', 'app = ""', "app.triage.labels.app: must not be empty"),
        ('app = "triage-api"', 'aps = ""', "app.triage.labels.aps: is not a known key; did you"),
        ('"30s"', '"14s"', 'prometheus.step: must be from "15s" to "5m"'),
        ('"30s"', '"301s"', 'prometheus.step: must be from "15s" to "5m"'),
        ('"30s"', "60", "prometheus.step: must be a time with its unit"),
        ('"12h"', '"59m"', 'prometheus.lookback: must be from "1h" to "24h"'),
        ('"12h"', '"2d"', 'prometheus.lookback: must be from "1h" to "24h"'),
        ('"2s"', '"0s"', 'prometheus.timeout: must be from "1s" to "30s"'),
        ('"PROMETHEUS_TOKEN"', '"NO"', "prometheus.token_env: the variable NO is not set"),
        ('"PROMETHEUS_TOKEN"', '"TWO"', "prometheus.token: must be of visible ASCII characters"),
        ("token_env =", "token_file = 'x'\ntoken_env =", "prometheus: needs only one of token_en"),
        ("token_env =", "token =", "prometheus.token: a secret does not belong in this file"),
        ("token_env =", "user = 'a'\ntoken_env =", "prometheus: has a token and a user or passw"),
        ("token_env =", "user = 'a:b'\ntoken_env =", "prometheus.user: must be a user's name"),
        ('token_env = "PROMETHEUS_TOKEN"', "user = 'a'", "prometheus: needs password_env or pas"),
        ("token_env =", "password_env =", "prometheus.user: is missing; the password is that"),
        ('"https://prom', '"http://prom', "prometheus.url: must begin with https://, or set all"),
        ("[prometheus]", "[prometheos]", "app.triage.metrics: nobody is asked for these; add a"),
    ],
)
def test_a_mistake_is_told_with_its_key_path(
    tmp_path: Path, here: str, instead: str, told: str
) -> None:
    assert here in GOOD
    with pytest.raises(ConfigurationWrong) as wrong:
        read(tmp_path, GOOD.replace(here, instead, 1), TWO="geheim wort")

    assert any(line.startswith(told) for line in wrong.value.problems), wrong.value.problems
    assert "geheim" not in str(wrong.value)


@pytest.mark.parametrize("text", ["", 'allow_http = true\ntoken_env = "PROMETHEUS_TOKEN"'])
def test_plain_http_is_for_those_who_have_no_secret_or_say_so(tmp_path: Path, text: str) -> None:
    found = prometheus(tmp_path, f'[prometheus]\nurl = "http://prometheus:9090"\n{text}')

    assert found.url == "http://prometheus:9090"


def test_another_query_is_another_setting_and_another_token_no_other_digest(
    tmp_path: Path,
) -> None:
    old = read(tmp_path, GOOD)
    query = read(tmp_path, GOOD.replace("triage_errors", "triage_failures"))
    token = read(tmp_path, GOOD, PROMETHEUS_TOKEN="another")

    assert changed(old, query) == changed(old, token) == ("prometheus",)
    assert digest(query) != digest(old) == digest(token)


async def test_what_asks_is_there_only_where_a_prometheus_is_named(tmp_path: Path) -> None:
    asking = look_back(read(tmp_path, GOOD))

    assert asking is not None
    await asking.close()
    assert look_back(read(tmp_path, "")) is None
