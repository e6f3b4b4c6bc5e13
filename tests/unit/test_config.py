"""Settings hold together, or every mistake is told at once with its key path and the mend."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.prometheus.templates import ERRORS, LATENCY, LOAD
from bot.config.load import database_url, load
from bot.config.settings import Settings
from bot.domain.including import Include
from bot.domain.naming import Match
from bot.domain.policy import Policy
from bot.errors import ConfigurationWrong
from bot.opening import rules_of
from store.records import AppEnv

ENVIRONMENT = {"DIFY_PASSWORD": "geheim-1"}
SERVING = {
    **ENVIRONMENT,
    "KEYTURN_SECRET_KEY": "k" * 32,
    "SLACK_BOT_TOKEN": "xoxb-geheim-2",
    "SLACK_SIGNING_SECRET": "geheim-3",
}
GOOD = """
[slack]
channel = "C0123456789"
[dify.prod]
url = "https://dify.example.com/"
email = "rollback-bot@example.com"
password_env = "DIFY_PASSWORD"
[app.support-triage]
criticality = "high"
depends_on = ["kb-search"]
match = { service = "triage-api" }
environments.prod = { target = "dify.prod", id = "6f0c", channel = "C0987654321" }
[app.kb-search]
environments.prod = { target = "dify.prod", id = "6f0d" }
[policy.prod]
reviewers = ["S0SREGROUP", "U0ALICE"]
requesters = ["S0DEVGROUP"]
open_for = "1h30m"
[alerts]
labels = { app = "bot" }
for = "0s"
lookback = "2h"
bake = "20m"
[people]
aliases = { U0ALICE = "alice", U0ALICE2 = "alice" }
"""
Load = Callable[..., Settings]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    def load_text(
        text: str, environ: dict[str, str] = ENVIRONMENT, *, serving: bool = False
    ) -> Settings:
        path = tmp_path / "keyturn.toml"
        path.write_text(text, encoding="utf-8")
        return load(environ, path, serving=serving)

    return load_text


@pytest.fixture
def mistakes(read: Load) -> Mistakes:
    def told(
        text: str = "", environ: dict[str, str] = ENVIRONMENT, *, serving: bool = False
    ) -> list[str]:
        with pytest.raises(ConfigurationWrong) as wrong:
            read(text, environ, serving=serving)
        return wrong.value.problems

    return told


# -- What is read -------------------------------------------------------------------------------


def test_the_tables_become_values(read: Load) -> None:
    settings = read(GOOD, SERVING, serving=True)

    triage = settings.places[AppEnv("support-triage", "prod")]
    assert (triage.target, triage.id, triage.channel) == ("dify.prod", "6f0c", "C0987654321")
    assert settings.places[AppEnv("kb-search", "prod")].channel == "C0123456789"
    assert settings.apps["support-triage"].depends_on == ("kb-search",)
    assert not settings.apps["support-triage"].drill
    assert settings.dify["prod"].url == "https://dify.example.com"
    assert settings.dify["prod"].password.get_secret_value() == "geheim-1"
    assert settings.policy("prod") == Policy(
        votes=2,
        reviewers=("S0SREGROUP", "U0ALICE"),
        requesters=("S0DEVGROUP",),
        open_for=timedelta(minutes=90),
        named=True,
    )
    assert settings.alerts.labels.app == "bot"
    assert settings.alerts.labels.env == "env"
    assert settings.alerts.labels.match == (Match({"service": ("triage-api",)}, "support-triage"),)
    assert settings.alerts.labels.sole == {"support-triage": "prod", "kb-search": "prod"}
    assert settings.alerts.usual_for == timedelta(0)
    assert settings.alerts.bake == timedelta(minutes=20)
    assert settings.person("U0ALICE2") == "alice"
    assert settings.person("U0BOB") == "U0BOB"


def test_an_environment_without_a_policy_needs_two_votes_and_names_nobody(read: Load) -> None:
    assert read(GOOD).policy("staging") == Policy(votes=2, reviewers=(), named=False)


def test_a_configuration_that_names_no_app_is_valid(read: Load) -> None:
    settings = read("", {"KEYTURN_SECRET_KEY": "k" * 32}, serving=True)

    assert (settings.places, settings.port, settings.on_sqlite) == ({}, 3000, True)


def test_the_example_that_ships_is_valid(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / "deploy" / "keyturn.example.toml").read_text()
    (tmp_path / "staging-password").write_text("geheim\n")
    (tmp_path / "keyturn.toml").write_text(
        example.replace("/run/secrets/dify-staging", "staging-password")
    )

    secrets = ("DIFY_PROD_PASSWORD", "PROMETHEUS_TOKEN", "KEYTURN_EVENTS_SECRET")
    environ = dict.fromkeys(secrets, "geheim")
    settings = load(environ, tmp_path / "keyturn.toml")

    assert len(settings.places) == 5
    assert settings.policy("dev").votes == 0
    assert settings.policy("prod").freeze.until(datetime(2026, 12, 24, tzinfo=UTC)) is not None
    at_once = [str(where) for where, place in settings.places.items() if place.rolls_back_config]
    assert at_once == ["faq-bot@prod"]
    assert settings.dify["staging"].password.get_secret_value() == "geheim"
    assert settings.prometheus is not None
    usual = settings.prometheus.questions.usual
    assert (usual.errors, usual.latency, usual.load) == (ERRORS, LATENCY, LOAD)


def test_no_secret_can_be_seen_in_the_settings(read: Load) -> None:
    environ = {**SERVING, "DATABASE_URL": "postgresql://u:geheim-4@db/k"}

    assert "geheim" not in repr(read(GOOD, environ, serving=True))


# -- The environment ----------------------------------------------------------------------------


def test_several_secrets_are_kept_in_order_while_one_is_being_replaced(read: Load) -> None:
    settings = read("", {"KEYTURN_WEBHOOK_TOKEN": "new, old\nolder"})

    tokens = [token.get_secret_value() for token in settings.webhook_tokens]
    assert tokens == ["new", "old", "older"]


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        "KEYTURN_SECRET_KEY",
        "KEYTURN_WEBHOOK_TOKEN",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
    ],
)
def test_each_secret_may_stand_in_a_file(read: Load, tmp_path: Path, name: str) -> None:
    begin = {"DATABASE_URL": "sqlite:///", "SLACK_BOT_TOKEN": "xoxb-"}.get(name, "")
    (tmp_path / "secret").write_text(begin + "s" * 32 + "\n")

    settings = read("", {f"{name}_FILE": str(tmp_path / "secret")})

    revealed = {
        "DATABASE_URL": [settings.database_url],
        "KEYTURN_SECRET_KEY": settings.secret_keys,
        "KEYTURN_WEBHOOK_TOKEN": settings.webhook_tokens,
        "SLACK_BOT_TOKEN": [settings.slack.bot_token],
        "SLACK_SIGNING_SECRET": settings.slack.signing_secrets,
    }[name]
    assert [secret and secret.get_secret_value() for secret in revealed] == [begin + "s" * 32]


def test_a_workspace_password_may_stand_in_a_file_beside_the_configuration(
    read: Load, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("  two words \r\n")

    settings = read(GOOD.replace('password_env = "DIFY_PASSWORD"', 'password_file = "password"'))

    assert settings.dify["prod"].password.get_secret_value() == "  two words "


@pytest.mark.parametrize("value", ["", "  ", " , "])
def test_a_webhook_token_that_is_set_but_empty_is_a_mistake(mistakes: Mistakes, value: str) -> None:
    (line,) = mistakes(environ={"KEYTURN_WEBHOOK_TOKEN": value})

    assert line.startswith("KEYTURN_WEBHOOK_TOKEN: is set but empty")


def test_other_empty_variables_count_as_unset(read: Load) -> None:
    settings = read("", {"PORT": "", "SLACK_BOT_TOKEN": "", "DATABASE_URL": " "})

    assert settings == Settings()


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"PORT": "http"}, "PORT: must be a whole number"),
        ({"PORT": "70000"}, "PORT: must be at most 65535"),
        ({"DATABASE_URL": "mysql://geheim@db"}, "DATABASE_URL: must begin with sqlite:///"),
        ({"DATABASE_URL": "sqlite:geheim.db"}, "DATABASE_URL: must begin with sqlite:///"),
        ({"DATABASE_URL": "geheim.db"}, "DATABASE_URL: must begin with sqlite:///"),
        ({"DATABASE_URL": "postgresql://u:geheim/x@db/k"}, "DATABASE_URL: has a / in its passw"),
        ({"DATABASE_URL": "postgresql://u:geheim?x@db/k"}, "DATABASE_URL: has a ? or # before"),
        ({"DATABASE_URL": "postgresql://u:x#geheim@db/k"}, "DATABASE_URL: has a ? or # before"),
        ({"DATABASE_URL": "postgresql://u:geheim@db"}, "DATABASE_URL: names no database"),
        ({"DATABASE_URL": "postgresql://u:x@db:geheim/k"}, "DATABASE_URL: has no sound port"),
        ({"DATABASE_URL": "postgresql://u:geheim@/k"}, "DATABASE_URL: names no host; for a sock"),
        ({"DATABASE_URL": "postgres://d/k?sslmode=geheim"}, "DATABASE_URL: has a sslmode that i"),
        ({"DATABASE_URL": "postgres://d/k?ssl=geheim"}, "DATABASE_URL: has a ssl that is none"),
        ({"DATABASE_URL": "postgres://d/k?optoins=x"}, "DATABASE_URL: has the option 'optoins'"),
        ({"DATABASE_URL": "sqlite:///"}, "DATABASE_URL: needs the path of a file for SQLite"),
        ({"DATABASE_URL": "sqlite://geheim.db"}, "DATABASE_URL: needs three slashes"),
        ({"DATABASE_URL": "sqlite:///geheim.db?mode=ro"}, "DATABASE_URL: takes no options"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "DATABASE_URL: needs the path of a file"),
        ({"KEYTURN_SECRET_KEY": "geheim"}, "KEYTURN_SECRET_KEY: each key needs at least 16"),
        ({"KEYTURN_WEBHOOK_TOKEN": "gehéim"}, "KEYTURN_WEBHOOK_TOKEN: must be of visible ASCII"),
        ({"SLACK_BOT_TOKEN": "xoxb-ge heim"}, "SLACK_BOT_TOKEN: must be of visible ASCII"),
        ({"SLACK_BOT_TOKEN": "xoxp-geheim"}, "SLACK_BOT_TOKEN: must begin with xoxb-"),
        ({"SLACK_API_URL": "http://slack.example"}, "SLACK_API_URL: must begin with https://"),
        ({"SLACK_API_URL": "geheim"}, "SLACK_API_URL: is not an address"),
        ({"KEYTURN_PUBLIC_URL": "keyturn"}, "KEYTURN_PUBLIC_URL: is not an address"),
        ({"KEYTURN_EXECUTION_LEASE": "30"}, "KEYTURN_EXECUTION_LEASE: must be a time with its"),
        ({"KEYTURN_EXECUTION_LEASE": "0s"}, 'KEYTURN_EXECUTION_LEASE: must be at least "1s"'),
        ({"SLACK_BOT_TOKEN_FILE": "/no/such"}, "SLACK_BOT_TOKEN_FILE: the file cannot be read"),
        ({"SLACK_BOT_TOKEN_FILE": "/dev/null"}, "SLACK_BOT_TOKEN_FILE: the file is empty"),
        (
            {"SLACK_BOT_TOKEN": "xoxb-geheim", "SLACK_BOT_TOKEN_FILE": "/dev/null"},
            "SLACK_BOT_TOKEN: is set, and SLACK_BOT_TOKEN_FILE too",
        ),
        (
            {"KEYTURN_WEBHOK_TOKEN": "geheim"},
            "KEYTURN_WEBHOK_TOKEN: is not a variable of ours; did you mean KEYTURN_WEBHOOK_TOKEN?",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_its_mend(
    mistakes: Mistakes, environ: dict[str, str], told: str
) -> None:
    (line,) = mistakes(environ=environ)

    assert line.startswith(told)
    assert "geheim" not in line


def test_variables_of_other_programs_are_left_alone(read: Load) -> None:
    kubernetes = {"KEYTURN_PORT": "tcp://10.0.0.1:80", "KEYTURN_SERVICE_HOST": "10.0.0.1"}

    settings = read("", {**kubernetes, "SLACK_TEAM": "x", "PATH": "/bin", "PORTAL": "x"})

    assert settings.notices == ()


def test_a_variable_that_looks_like_ours_and_does_nothing_is_said(read: Load) -> None:
    text = GOOD.replace("DIFY_PASSWORD", "KEYTURN_DIFY_PASSWORD")

    settings = read(text, {"KEYTURN_COLOUR": "geheim", "KEYTURN_DIFY_PASSWORD": "geheim"})

    assert settings.notices == ("KEYTURN_COLOUR: is not a variable of ours, so it does nothing",)


def test_a_local_slack_may_be_reached_without_tls(read: Load) -> None:
    settings = read("", {"SLACK_API_URL": "http://127.0.0.1:8080/api"})

    assert settings.slack.api_url == "http://127.0.0.1:8080/api/"


def test_serving_needs_a_key_and_with_apps_slack_too(mistakes: Mistakes) -> None:
    named = [line.partition(":")[0] for line in mistakes(GOOD, serving=True)]

    assert named == ["KEYTURN_SECRET_KEY", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"]


def test_the_database_can_be_found_although_all_else_is_wrong() -> None:
    environ = {"DATABASE_URL": "sqlite:///a.db", "PORT": "x", "KEYTURN_CONFIG": "/no/such"}

    assert database_url(environ).get_secret_value() == "sqlite:///a.db"
    with pytest.raises(ConfigurationWrong, match="DATABASE_URL: must begin"):
        database_url({"DATABASE_URL": "oracle:"})


# -- The file -----------------------------------------------------------------------------------


def test_a_configuration_that_is_not_there_is_said_with_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    (told,) = load({}).notices

    assert told == f"KEYTURN_CONFIG: no keyturn.toml in {tmp_path}, so no app is watched"


def test_a_default_file_may_be_absent_but_a_named_one_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load({}) == Settings()
    with pytest.raises(ConfigurationWrong, match=r"other\.toml: there is no such file"):
        load({"KEYTURN_CONFIG": str(tmp_path / "other.toml")})


def test_the_default_file_is_found_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keyturn.toml").write_text('[slack]\nchannel = "C0123456789"\n')

    assert load({}).slack.channel == "C0123456789"


@pytest.mark.parametrize(
    "text", ["[slack", "a = 1\na = 2", "x = " + "[" * 3000, '[slack]\nchannel = "\\ud800"']
)
def test_what_is_no_toml_is_one_mistake_with_its_place(mistakes: Mistakes, text: str) -> None:
    (line,) = mistakes(text)

    assert line.startswith("keyturn.toml: is not TOML: ")


def test_bytes_that_are_no_text_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationWrong, match=r"keyturn\.toml: is not UTF-8 text"):
        load({}, tmp_path / "keyturn.toml")


def test_a_file_that_cannot_be_read_or_is_no_configuration_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").mkdir()
    (tmp_path / "huge.toml").write_bytes(b"#" * 5_000_000)

    with pytest.raises(ConfigurationWrong, match=r"keyturn\.toml: cannot be read"):
        load({}, tmp_path / "keyturn.toml")
    with pytest.raises(ConfigurationWrong, match=r"huge\.toml: is too large"):
        load({}, tmp_path / "huge.toml")


def test_tables_of_the_wrong_kind_are_mistakes_and_no_failure(mistakes: Mistakes) -> None:
    text = (
        'dify = 1\napp = "x"\npolicy = []\npeople = { aliases = 1 }\nalerts = { labels = 2 }\n'
        "prometheus = { url = 7 }\nalertmanager = {}\n"
    )

    assert {line.partition(": ")[0] for line in mistakes(text)} == {
        "dify",
        "app",
        "policy",
        "people.aliases",
        "alerts.labels",
        "prometheus.url",
        "alertmanager.url",
    }


ONE_CHANGE = [
    ('channel = "C0123456789"', 'chanel = "C0123456789"', "slack.chanel: is not a known key; did "),
    ('channel = "C0123456789"', 'channel = "#incidents"', "slack.channel: must be a channel's id"),
    ('channel = "C0123456789"', "channel = 7", "slack.channel: must be a text in quotes"),
    ("[slack]", "[slak]", 'slak: is not a known key; did you mean "slack"?'),
    ("[slack]", "slack = 1\n[dify.x]", "slack: must be a table"),
    ('"https://dify.example.com/"', '"http://dify.example.com/"', "dify.prod.url: must begin with"),
    ('"https://dify.example.com/"', '"dify.example.com"', "dify.prod.url: is not an address"),
    ('"https://dify.example.com/"', '"https://u:geheim@x"', "dify.prod.url: must not hold an acc"),
    ('"https://dify.example.com/"', '"https://x/?geheim"', "dify.prod.url: must end before any ?"),
    ('"https://dify.example.com/"', '"https://x:99999"', "dify.prod.url: is not an address"),
    ('"https://dify.example.com/"', '"https://[::ffff:169.254.169.254]"', "dify.prod.url: is a li"),
    ('"rollback-bot@example.com"', '"rollback-bot"', "dify.prod.email: must be the e-mail address"),
    ('password_env = "DIFY_PASSWORD"', "", "dify.prod: needs exactly one of password_env and pass"),
    ('password_env = "DIFY_PASSWORD"', 'password = "geheim"', "dify.prod.password: a secret does "),
    ('"DIFY_PASSWORD"', '"DIFY_PASWORD"', "dify.prod.password_env: the variable DIFY_PASWORD is n"),
    ('password_env = "DIFY_PASSWORD"', 'password_file = "x"', "dify.prod.password_file: the file "),
    ('"high"', '"hight"', "app.support-triage.criticality: must be one of 'low', 'medium', 'high'"),
    ('["kb-search"]', '["kb-serch"]', 'app.support-triage.depends_on: no app is called "kb-serch"'),
    ('["kb-search"]', '["support-triage"]', "app.support-triage.depends_on: an app does not depen"),
    ("[app.kb-search]", "[app.kb-search]\ndrill = true", "app.support-triage.depends_on: \"kb-s"),
    ('["kb-search"]', '"kb-search"', "app.support-triage.depends_on: must be a list, such as"),
    ('{ service = "triage-api" }', "{ service = 1 }", "app.support-triage.match.service: must be"),
    ('"dify.prod", id = "6f0c"', '"dify.prd", id = "6f0c"', "app.support-triage.environments.prod"),
    ('"6f0c"', '"../6f0c"', "app.support-triage.environments.prod.id: must be the app's id in Dif"),
    ('"6f0d"', '"6f0c"', "app.kb-search.environments.prod.id: is the same app as support-triage@"),
    ('environments.prod = { target = "dify.prod", id = "6f0d" }', "", "app.kb-search.environm"),
    ("[app.kb-search]", '[app."kb search"]', 'app."kb search": a name has no blanks'),
    ("[policy.prod]", "[policy.prd]", 'policy.prd: no app has an environment of this name; did yo'),
    ('["S0SREGROUP", "U0ALICE"]', '["@alice"]', "policy.prod.reviewers[1]: must be a person's or"),
    ('["S0SREGROUP", "U0ALICE"]', '["U0ALICE"]', "policy.prod.reviewers: 1 named but 2 votes need"),
    ('["S0SREGROUP", "U0ALICE"]', '["U0ALICE", "U0ALICE2"]', "policy.prod.reviewers: 1 named but"),
    ('open_for = "1h30m"', 'open_for = "90"', "policy.prod.open_for: must be a time with its unit"),
    ('open_for = "1h30m"', "open_for = 90", "policy.prod.open_for: must be a time with its unit"),
    ('open_for = "1h30m"', 'open_for = "0m"', "policy.prod.open_for: must be longer than nothing"),
    ('bake = "20m"', 'bake = "4m"', 'alerts.bake: must be from "5m" to "24h"'),
    ('bake = "20m"', 'bake = "25h"', 'alerts.bake: must be from "5m" to "24h"'),
    ('lookback = "2h"', 'lookback = "999999d"', "alerts.lookback: must be a year at most"),
    ('open_for = "1h30m"', 'each_of = ["@sre"]', "policy.prod.each_of[1]: must be a person's or"),
    ('open_for = "1h30m"', 'each_of = ["S01", "S02", "S03"]', "policy.prod.each_of: names 3, ano"),
    ('open_for = "1h30m"', 'freeze = ["fri"]', 'policy.prod.freeze[1]: must be "22:00-07:00", "'),
    ('open_for = "1h30m"', 'quiet = ["abc 01:00-02:00"]', "policy.prod.quiet[1]: 'abc' is no day"),
    ('open_for = "1h30m"', 'timezone = "Mars"', 'policy.prod.timezone: must be a time zone such'),
    ('open_for = "1h30m"', 'remind_after = "30m"', "policy.prod.remind_after: must be shorter th"),
    ('open_for = "1h30m"', "vetoes = 0", "policy.prod.vetoes: must be at least 1"),
    ('open_for = "1h30m"', 'open_for = "90d"', "policy.prod.open_for: must be shorter than `reten"),
    ('"1h30m"', '"1h"\nbackups = ["S01"]\nremind_after = "50m"', "policy.prod.remind_after: must"),
    ('["S0SREGROUP", "U0ALICE"]', '["U0ALICE", "U0BOB"]\nvetoes = 3', "policy.prod.vetoes: is mor"),
    ('open_for = "1h30m"', 'votes = 0\nbreak_glass = ["S01"]', "policy.prod.break_glass: with"),
    ('open_for = "1h30m"', 'break_glass = ["@me"]', "policy.prod.break_glass[1]: must be a perso"),
    ('["S0SREGROUP", "U0ALICE"]', '["U01", "U02"]\nbreak_glass = ["U02"]', "policy.prod.break_gla"),
    ('open_for = "1h30m"', "votes_by_criticality = { hih = 3 }", "policy.prod.votes_by_criticalit"),
    ('open_for = "1h30m"', "votes_by_risk = { hgh = 3 }", "policy.prod.votes_by_risk"),
    ('open_for = "1h30m"', "votes_by_risk = { high = 0 }", "policy.prod.votes_by_risk.high: must"),
    ('["S0SREGROUP", "U0ALICE"]', '["U01", "U02"]\nvotes_by_risk = { low = 3 }', "policy.prod.rev"),
    ('open_for = "1h30m"', "votes = -1", "policy.prod.votes: must be at least 0"),
    ('open_for = "1h30m"', 'votes = "2"', "policy.prod.votes: must be a whole number, without quo"),
    ('open_for = "1h30m"', "votes = true", "policy.prod.votes: must be a whole number, without qu"),
    ('{ app = "bot" }', '{ app = "env" }', 'alerts.labels: app and env are both read from "env"'),
    ('{ app = "bot" }', '{ ap = "bot" }', 'alerts.labels.ap: is not a known key; did you mean "ap'),
    ('for = "0s"', 'for_ = "0s"', 'alerts.for_: is not a known key; did you mean "for"?'),
    ('U0ALICE2 = "alice"', 'alice = "alice"', "people.aliases.alice: must be a person's id, such"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("here", "instead", "told"), ONE_CHANGE, ids=[c[2][:60] for c in ONE_CHANGE]
)
def test_one_mistake_is_told_with_its_key_path(
    mistakes: Mistakes, here: str, instead: str, told: str
) -> None:
    assert here in GOOD

    lines = mistakes(GOOD.replace(here, instead, 1))

    assert [line for line in lines if line.startswith(told)], lines
    assert "geheim" not in "".join(lines)


def test_a_card_without_a_channel_is_a_mistake(mistakes: Mistakes) -> None:
    (line,) = mistakes(GOOD.replace('channel = "C0123456789"', "", 1))

    assert line == (
        "app.kb-search.environments.prod.channel: "
        "is missing; set it here or for all apps as [slack] channel"
    )


def test_the_same_labels_cannot_mean_two_apps(mistakes: Mistakes) -> None:
    text = GOOD.replace("[app.kb-search]", '[app.kb-search]\nmatch = { service = "triage-api" }')

    assert mistakes(text) == ['app.kb-search.match: the same labels mean "support-triage" already']


@pytest.mark.parametrize(
    ("triage", "kb", "refused"),
    [
        ('{ a = "1" }', '{ a = ["2", "1"] }', True),
        ('{ a = "1", b = "2" }', '{ b = ["2"], a = ["1"] }', True),
        ('{ a = "1" }', '{ a = "2" }', False),
        ('{ a = "1" }', '{ b = "1" }', False),
        ('{ a = "1" }', '{ a = "1", b = "2" }', False),
    ],
)
def test_labels_that_certainly_mean_two_apps_are_refused_and_others_left_to_the_alert(
    read: Load, mistakes: Mistakes, triage: str, kb: str, refused: bool
) -> None:
    text = GOOD.replace('{ service = "triage-api" }', triage).replace(
        "[app.kb-search]", f"[app.kb-search]\nmatch = {kb}"
    )

    if refused:
        assert mistakes(text) == [
            'app.kb-search.match: the same labels mean "support-triage" already'
        ]
    else:
        read(text)


def test_the_same_labels_may_mean_two_apps_that_share_no_environment(read: Load) -> None:
    read(
        GOOD.replace(
            "[app.kb-search]\nenvironments.prod",
            '[app.kb-search]\nmatch = { service = "triage-api" }\nenvironments.staging',
        )
    )


def test_labels_may_mean_an_app_in_one_environment(read: Load) -> None:
    settings = read(GOOD.replace('"6f0d" }', '"6f0d", match = { cluster = ["c1", "c2"] } }'))

    match = Match({"cluster": ("c1", "c2")}, "kb-search", "prod")
    assert match in settings.alerts.labels.match


# -- Apps without a table -----------------------------------------------------------------------

INCLUDE = 'include = ["tag:keyturn", "tag:bots"]\nenvironment = "live"\n'


def test_a_workspace_may_say_which_of_its_apps_are_watched(read: Load) -> None:
    settings = read(GOOD.replace("[app.support-triage]", f"{INCLUDE}[app.support-triage]"))

    assert settings.dify["prod"].include == Include(
        env="live", tags=frozenset({"keyturn", "bots"}), channel="C0123456789"
    )


def test_all_apps_of_a_workspace_may_be_watched_with_a_channel_of_their_own(read: Load) -> None:
    text = 'include = ["all"]\nenvironment = "live"\nchannel = "C0ALLAPPS"\n[policy.live]\n'

    settings = read(GOOD.replace("[app.support-triage]", f"{text}[app.support-triage]"))

    assert settings.dify["prod"].include == Include("live", everything=True, channel="C0ALLAPPS")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('include = ["all"]', "dify.prod.environment: is missing; say where the included apps l"),
        ('environment = "live"', "dify.prod.environment: is of use only with include beside it"),
        ('channel = "C0ALLAPPS"', "dify.prod.channel: is of use only with include beside it"),
        ('include = "all"\nenvironment = "x"', "dify.prod.include: must be a list, such as"),
        ('include = ["tags:x"]\nenvironment = "x"', 'dify.prod.include[1]: must be "all" or "t'),
        ('include = ["tag:"]\nenvironment = "x"', 'dify.prod.include[1]: must be "all" or "tag:'),
        ('include = ["all", "tag:x"]\nenvironment = "x"', 'dify.prod.include: "all" needs no ta'),
        ('include = ["all"]\nenvironment = "a b"', "dify.prod.environment: a name has no blanks"),
        ('inclde = ["all"]', 'dify.prod.inclde: is not a known key; did you mean "include"?'),
    ],
)
def test_a_mistake_in_what_is_included_is_told(mistakes: Mistakes, text: str, told: str) -> None:
    lines = mistakes(GOOD.replace("[app.support-triage]", f"{text}\n[app.support-triage]", 1))

    assert [line for line in lines if line.startswith(told)], lines


def test_included_apps_need_a_channel_and_slack(mistakes: Mistakes) -> None:
    text = """
    [dify.prod]
    url = "https://dify.example.com"
    email = "rollback-bot@example.com"
    password_env = "DIFY_PASSWORD"
    include = ["all"]
    environment = "prod"
    """
    named = {line.partition(": ")[0] for line in mistakes(text, serving=True)}

    assert named == {
        "dify.prod.channel",
        "KEYTURN_SECRET_KEY",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
    }


def test_one_workspace_is_included_under_one_name(mistakes: Mistakes) -> None:
    table = """
    [dify.again]
    url = "https://dify.example.com"
    email = "rollback-bot@example.com"
    password_env = "DIFY_PASSWORD"
    """
    twice = GOOD.replace("[app.support-triage]", INCLUDE + table + INCLUDE + "[app.support-triage]")

    assert mistakes(twice) == [
        "dify.again.include: the same workspace is included by dify.prod already; "
        "an app has one name"
    ]


# -- Secrets in files ---------------------------------------------------------------------------


def test_a_secret_that_everybody_can_read_is_taken_and_named(read: Load, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("geheim")
    text = GOOD.replace('password_env = "DIFY_PASSWORD"', 'password_file = "password"')

    secret.chmod(0o600)
    assert read(text).notices == ()
    secret.chmod(0o644)
    assert read(text).notices == (
        "dify.prod.password_file: everybody on this machine can read the file; chmod 600 or 640 it",
    )


def test_a_secret_file_that_is_no_file_or_too_large_is_a_mistake(
    mistakes: Mistakes, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("x" * 70_000)

    def told(name: str) -> str:
        (line,) = mistakes(
            GOOD.replace('password_env = "DIFY_PASSWORD"', f'password_file = "{name}"')
        )
        return line

    assert (
        told("pipe") == "dify.prod.password_file: the file is empty or too large to hold a secret"
    )
    assert told("large") == told("pipe")
    assert told(".").startswith("dify.prod.password_file: the file cannot be read")
    assert told("\\u0000").startswith("dify.prod.password_file: the file cannot be read")


def test_all_mistakes_of_all_tables_are_told_at_once(mistakes: Mistakes) -> None:
    text = GOOD
    for here, instead in (
        ("[slack]", "[slak]"),
        ('"https://dify.example.com/"', '"http://dify.example.com"'),
        ('"high"', '"hight"'),
        ('"dify.prod", id = "6f0c"', '"dify.prd", id = "6f0c"'),
        ('open_for = "1h30m"', 'open_for = "90"'),
    ):
        text = text.replace(here, instead, 1)

    paths = {line.partition(": ")[0] for line in mistakes(text, {"PORT": "x"}, serving=True)}

    assert paths == {
        "PORT",
        "slak",
        "dify.prod.url",
        "dify.prod.password_env",
        "app.support-triage.criticality",
        "app.support-triage.environments.prod.target",
        "app.kb-search.environments.prod.channel",
        "policy.prod.open_for",
        "KEYTURN_SECRET_KEY",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
    }


def test_a_hostile_key_cannot_forge_a_line(mistakes: Mistakes) -> None:
    (line,) = mistakes('"x\\nPORT: fine\\u001b[2J" = 1')

    assert "\n" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "a.localhost"])
def test_this_machine_needs_no_tls(read: Load, host: str) -> None:
    read(GOOD.replace("https://dify.example.com", f"http://{host}:8080"))


def test_plain_http_to_another_machine_is_an_explicit_choice(read: Load) -> None:
    text = GOOD.replace("https://dify.example.com/", "http://dify.internal").replace(
        "[dify.prod]", "[dify.prod]\nallow_http = true"
    )

    assert read(text).dify["prod"].url == "http://dify.internal"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///keyturn.db",
        "sqlite:////var/lib/keyturn/keyturn.db",
        "postgres://u:p@db/k",
        "postgresql://u:p%40%2F@db:5432/k?sslmode=require",
        "postgresql+asyncpg://u:p@db/k?ssl=true",
        "postgresql+psycopg://u:p@db/k?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql+psycopg2://u:p@db/k?ssl=verify-full&connect_timeout=5",
        "postgres://u:50%p@ss@[::1]:5432/k",
        "postgresql:///k?host=/run/postgresql",
        "postgresql://u@/k?host=/run/postgresql",
        "sqlite+aiosqlite:///relative/keyturn.db",
    ],
)
def test_each_usual_form_of_a_database_address_is_taken(url: str) -> None:
    assert database_url({"DATABASE_URL": url}).get_secret_value() == url


# -- How Slack comes in -------------------------------------------------------------------------

APP_TOKEN = {"SLACK_APP_TOKEN": "xapp-1-geheim-4"}
KEY_AND_BOT = {"KEYTURN_SECRET_KEY": "k" * 32, "SLACK_BOT_TOKEN": "xoxb-geheim-2"}


@pytest.mark.parametrize(
    ("text", "environ", "mode"),
    [
        ("", SERVING, "http"),
        ("", {**KEY_AND_BOT, **APP_TOKEN}, "socket"),
        ("", {**SERVING, **APP_TOKEN}, "http"),
        ('[slack]\nmode = "socket"', {**SERVING, **APP_TOKEN}, "socket"),
        ('[slack]\nmode = "http"', {**SERVING, **APP_TOKEN}, "http"),
    ],
)
def test_slack_comes_in_by_the_way_that_is_named_else_the_one_with_a_secret(
    read: Load, text: str, environ: dict[str, str], mode: str
) -> None:
    assert read(text, environ, serving=True).slack.mode == mode


@pytest.mark.parametrize(
    ("text", "environ", "missing"),
    [
        ('[slack]\nmode = "socket"', SERVING, "SLACK_APP_TOKEN"),
        ('[slack]\nmode = "http"', {**KEY_AND_BOT, **APP_TOKEN}, "SLACK_SIGNING_SECRET"),
        ("", {"KEYTURN_SECRET_KEY": "k" * 32, **APP_TOKEN}, "SLACK_BOT_TOKEN"),
    ],
)
def test_the_secret_of_the_way_in_is_demanded(
    mistakes: Mistakes, text: str, environ: dict[str, str], missing: str
) -> None:
    (told,) = mistakes(text, environ, serving=True)

    assert told.startswith(f"{missing}: is missing")


def test_another_token_in_the_place_of_the_apps_is_named_and_not_quoted(
    mistakes: Mistakes,
) -> None:
    (told,) = mistakes("", {**KEY_AND_BOT, "SLACK_APP_TOKEN": "xoxb-geheim-5"})

    assert told.startswith("SLACK_APP_TOKEN: must begin with xapp-")
    assert "geheim" not in told


def test_the_app_token_may_stand_in_a_file(read: Load, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xapp-1-geheim-6\n")
    settings = read("", {**KEY_AND_BOT, "SLACK_APP_TOKEN_FILE": str(tmp_path / "token")})

    assert settings.slack.app_token is not None
    assert settings.slack.app_token.get_secret_value() == "xapp-1-geheim-6"


def test_a_way_in_that_does_not_exist_is_refused(mistakes: Mistakes) -> None:
    (told,) = mistakes('[slack]\nmode = "sockets"')

    assert told.startswith("slack.mode: ")


def test_where_nobody_is_needed_somebody_has_to_be_named_who_may_ask(mistakes: Mistakes) -> None:
    named = 'reviewers = ["S0SREGROUP", "U0ALICE"]\nrequesters = ["S0DEVGROUP"]'
    assert named in GOOD

    told = mistakes(GOOD.replace(named, "votes = 0"))

    assert [line[:37] for line in told] == ["policy.prod.requesters: name who may "]


def test_an_app_is_marked_for_drills_by_its_name(read: Load) -> None:
    marked = GOOD.replace("[app.support-triage]", "[app.support-triage]\ndrill = true")

    rules = rules_of(read(marked, SERVING, serving=True))

    assert rules.practises(AppEnv("support-triage", "prod"))
    assert not rules.practises(AppEnv("kb-search", "prod"))
