"""Settings of Alertmanager, of other senders and of core parameters: read, and refused by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.load import load
from bot.config.settings import Settings
from bot.domain.core import DEFAULT
from bot.errors import ConfigurationWrong
from store.records import AppEnv

APP = """
[slack]
channel = "C0123456789"
[dify.prod]
url = "https://dify.example.com"
email = "bot@example.com"
password_env = "DIFY_PASSWORD"
[app.triage]
environments.prod = { target = "dify.prod", id = "6f0c" }
"""
SENDER = """
[webhook.pager]
token_env = "PAGER_TOKEN"
status = "/state"
name = "/title"
starts_at = "/since"
labels = { app = "/service", env = "prod" }
"""


def read(tmp_path: Path, *tables: str) -> Settings:
    file = tmp_path / "keyturn.toml"
    file.write_text("".join(tables), encoding="utf-8")
    given = {"DIFY_PASSWORD": "x", "PAGER_TOKEN": "new, old", "AM_TOKEN": "am"}
    return load(given, file)


def mistakes(tmp_path: Path, *tables: str) -> str:
    with pytest.raises(ConfigurationWrong) as wrong:
        read(tmp_path, *tables)
    return "\n".join(wrong.value.problems)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ('"http://am:9093/"', ("http://am:9093",)),
        ('["http://a:9093", "http://b:9093"]', ("http://a:9093", "http://b:9093")),
    ],
)
def test_one_alertmanager_or_several_are_named(
    tmp_path: Path, url: str, found: tuple[str, ...]
) -> None:
    settings = read(tmp_path, APP, f"[alertmanager]\nurl = {url}\nsilence = ['prod']\n")

    assert settings.alertmanager.urls == found
    assert settings.alertmanager.announce
    assert settings.alertmanager.silence == {"prod"}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("url = []", "alertmanager.url: must be an address"),
        ('url = "am"', "alertmanager.url: is not an address"),
        ('url = "http://am"\nsilence = ["prud"]', 'called "prud"; did you mean "prod"?'),
        ('url = "http://am.example.com"\ntoken_env = "AM_TOKEN"', "alertmanager.url: must begin"),
        ('url = "https://am"\ntoken_env = "AM_TOKEN"\ntoken_file = "x"', "needs only one of"),
    ],
)
def test_mistakes_about_alertmanager_are_named(tmp_path: Path, lines: str, sentence: str) -> None:
    assert sentence in mistakes(tmp_path, APP, f"[alertmanager]\n{lines}\n")


def test_a_sender_is_read_with_its_tokens(tmp_path: Path) -> None:
    sender = read(tmp_path, APP, SENDER).webhooks["pager"]

    assert [token.get_secret_value() for token in sender.tokens] == ["new", "old"]
    assert sender.form.source == "pager"
    assert sender.form.firing == frozenset({"firing"})
    assert sender.form.resolved == frozenset({"resolved"})


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('alerts = "list"', "webhook.pager.alerts: must be a JSON pointer"),
        ('ends_at = "/a~b"', 'webhook.pager.ends_at: a "~" in a pointer'),
        ('firing = ["ok"]\nresolved = ["OK"]', "webhook.pager.resolved: "),
        ("firing = []", "webhook.pager.firing"),
        ('token_file = "x"', "webhook.pager: needs exactly one of token_env and token_file"),
        ('stauts = "/x"', "webhook.pager.stauts: is not a known key"),
    ],
)
def test_mistakes_in_a_mapping_are_named(tmp_path: Path, lines: str, sentence: str) -> None:
    made = SENDER.replace("status =", f"{lines}\nstatus =")

    assert sentence in mistakes(tmp_path, APP, made)


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ('"/state"', '"state"', "webhook.pager.status: is no word of firing, resolved or ignored"),
        ('"/state"', '"#state"', 'webhook.pager.status: begins with "#" and is no pointer'),
        ('"/service"', '"#tags"', 'webhook.pager.labels.app: begins with "#" and is no pointer'),
        ('"/service"', '"triag"', 'webhook.pager.labels.app: no app is called "triag"; did you'),
        ('"prod"', '"prd"', 'webhook.pager.labels.env: no app has an environment called "prd"'),
    ],
)
def test_a_mapping_that_could_never_mean_anything_is_refused(
    tmp_path: Path, was: str, now: str, sentence: str
) -> None:
    made = SENDER.replace(was, now)

    assert sentence in mistakes(tmp_path, APP, made)


def test_a_text_that_is_a_word_of_the_sender_or_means_an_app_by_a_match_is_taken(
    tmp_path: Path,
) -> None:
    made = SENDER.replace('"/state"', '"Firing"').replace('"/service"', '"triage-api"')
    matched = APP.replace("[app.triage]", '[app.triage]\nmatch = { app = "triage-api" }')
    included = APP.replace(
        "[app.triage]",
        '[dify.two]\nurl = "https://two.example.com"\nemail = "bot@example.com"\n'
        'password_env = "DIFY_PASSWORD"\ninclude = ["all"]\nenvironment = "test"\n[app.triage]',
    )

    assert read(tmp_path, matched, made).webhooks
    assert read(tmp_path, included, made.replace('"prod"', '"test"')).webhooks
    elsewhere = matched.replace("app =", "env = 'prd', app =")
    assert read(tmp_path, elsewhere, made.replace('"prod"', '"prd"')).webhooks


@pytest.mark.parametrize(
    "name", ["alertmanager", "grafana", "drill", "keyturn", "operator", "Pager", "'a/b'"]
)
def test_a_senders_name_is_a_door_of_its_own(tmp_path: Path, name: str) -> None:
    assert "webhook." in mistakes(tmp_path, APP, SENDER.replace("pager", name))


def test_a_mapping_that_names_no_app_is_refused_unless_labels_match_one(tmp_path: Path) -> None:
    made = SENDER.replace('{ app = "/service", env = "prod" }', '{ service = "/service" }')
    matched = APP.replace("[app.triage]", '[app.triage]\nmatch = { service = "triage-api" }')

    assert 'webhook.pager.labels: must have "app"' in mistakes(tmp_path, APP, made)
    assert read(tmp_path, matched, made).webhooks


def test_core_parameters_have_a_default_and_can_be_named_or_turned_off(tmp_path: Path) -> None:
    def core(line: str) -> tuple[str, ...]:
        made = APP.replace("[app.triage]", f"[app.triage]\n{line}")
        settings = read(tmp_path, made)
        assert AppEnv("triage", "prod") in settings.places
        return settings.apps["triage"].core

    assert core("") == DEFAULT
    assert core('core = ["model", "temperature"]') == ("model", "temperature")
    assert core("core = []") == ()
    bad = APP.replace("[app.triage]", '[app.triage]\ncore = ["/model"]')
    assert "app.triage.core[1]: must be a path" in mistakes(tmp_path, bad)


def test_a_name_that_is_no_part_of_an_address_is_one_mistake(tmp_path: Path) -> None:
    found = mistakes(tmp_path, APP, SENDER.replace("pager", '"Bad Name"'))

    assert found.splitlines() == [
        'webhook."Bad Name": a name has small letters, digits and -, since it is part of an address'
    ]
