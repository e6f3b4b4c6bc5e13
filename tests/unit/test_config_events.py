"""Where events are sent, as the configuration says it; each mistake with its key path."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import announcing
from bot.config.load import load
from bot.config.settings import Settings
from bot.errors import ConfigurationWrong
from bot.renewal.changes import changed, digest

SECRET = "whsec_Z2VoZWlt"
SECRETS = {"HOOK_SECRET": SECRET, "KAFKA_PASSWORD": "geheim", "DIFY_PASSWORD": "geheim"}
HOOK = """
[events.hook]
kind = "webhook"
url = "https://example.com/events"
secret_env = "HOOK_SECRET"
types = ["rollback.*", "dev.keyturn.drift.noticed"]
envs = ["prod"]
from = "start"
give_up_after = "12h"
timeout = "3s"
"""
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
FILE = """
[events.lake]
kind = "file"
path = "events.jsonl"
rotate_at_mb = 5
keep = 3
"""
KAFKA = """
[events.stream]
kind = "kafka"
brokers = ["kafka-1.example.com:9093", "[::1]:9092"]
topic = "keyturn.events"
tls = true
ca_file = "ca.pem"
mechanism = "SCRAM-SHA-512"
user = "keyturn"
password_env = "KAFKA_PASSWORD"
"""


@pytest.fixture(autouse=True)
def the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka's library is there, whether or not it is."""
    monkeypatch.setattr(announcing, "installed", lambda: True)


def read(folder: Path, text: str, **variables: str) -> Settings:
    file = folder / "keyturn.toml"
    file.write_text(text, encoding="utf-8")
    return load({**SECRETS, **variables}, file)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationWrong) as caught:
        read(folder, text)
    told = "\n".join(caught.value.problems)
    assert "geheim" not in told
    assert SECRET not in told
    return told


def test_each_kind_has_its_settings(tmp_path: Path) -> None:
    found = read(tmp_path, HOOK + FILE + KAFKA).events

    hook, lake, stream = found["hook"], found["lake"], found["stream"]
    assert (hook.kind, hook.url, hook.from_start) == ("webhook", "https://example.com/events", True)
    assert (hook.envs, hook.types[0]) == (("prod",), "rollback.*")
    assert (hook.give_up_after, hook.timeout) == (timedelta(hours=12), timedelta(seconds=3))
    assert hook.secret is not None
    assert hook.secret.get_secret_value() == SECRET
    assert (lake.path, lake.most_bytes, lake.keep) == (tmp_path / "events.jsonl", 5 << 20, 3)
    assert (stream.topic, stream.brokers[1]) == ("keyturn.events", "[::1]:9092")
    assert (stream.tls, stream.ca_file) == (True, str(tmp_path / "ca.pem"))
    assert (stream.mechanism, stream.user) == ("SCRAM-SHA-512", "keyturn")


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ('[events.x]\nkind = "pigeon"', "events.x.kind", "'webhook', 'file' or 'kafka'"),
        ('[events.x]\nkind = "file"', "events.x.path", "is missing; a file needs it"),
        ('[events.x]\nkind = "kafka"\ntopic = "a"', "events.x.brokers", "a kafka needs it"),
        (FILE + 'url = "https://a.b"', "events.lake.url", "is of no use to a file"),
        (HOOK.replace('secret_env = "HOOK_SECRET"', ""), "events.hook", "signed with it"),
        (HOOK.replace("HOOK_SECRET", "NOT_SET"), "events.hook.secret_env", "is not set"),
        (HOOK.replace("https:", "http:"), "events.hook.url", "must begin with https://"),
        (HOOK.replace("rollback.*", "rolback.*"), "events.hook.types[1]", "is no type of event"),
        (HOOK.replace("12h", "100d"), "events.hook.give_up_after", "shorter than retention.events"),
        (HOOK.replace("12h", "5m"), "events.hook.give_up_after", 'an hour at least: "1h"'),
        (HOOK + 'secret = "geheim"', "events.hook.secret", "does not belong in this file"),
        (KAFKA.replace('user = "keyturn"', ""), "events.stream", "to log in"),
        (KAFKA.replace("tls = true", ""), "events.stream.ca_file", "only with tls = true"),
        (KAFKA.replace(":9093", ""), "events.stream.brokers[1]", "must be HOST:PORT"),
        (KAFKA.replace("keyturn.events", "a b"), "events.stream.topic", "a topic's name"),
        (FILE + FILE.replace("lake", "other"), "events.other.path", "of events.lake already"),
        (FILE.replace("lake", "La_ke"), "events.La_ke", "a sink's name has small letters"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, path: str, said: str) -> None:
    told = problems(tmp_path, text)

    assert any(line.startswith(f"{path}:") and said in line for line in told.splitlines()), told


def test_a_sink_of_an_environment_that_no_app_has_is_refused(tmp_path: Path) -> None:
    made = HOOK.replace('envs = ["prod"]', 'envs = ["nope"]')

    told = problems(tmp_path, APP + made)

    assert 'events.hook.envs: no app has an environment called "nope"' in told
    assert read(tmp_path, APP + HOOK).events


def test_a_secret_that_is_no_base64_is_told_without_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationWrong, match="base64 behind whsec_") as caught:
        read(tmp_path, HOOK, HOOK_SECRET="whsec_geheim!")
    assert "geheim!" not in str(caught.value)


def test_without_its_library_kafka_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "installed", lambda: False)

    assert (
        "events.stream: needs a library; install Keyturn with its extra: keyturn[kafka]"
        in problems(tmp_path, KAFKA)
    )


def test_a_sink_that_changes_is_a_change_of_settings(tmp_path: Path) -> None:
    before = read(tmp_path, HOOK)
    after = read(tmp_path, HOOK.replace("3s", "4s"))
    secret = read(tmp_path, HOOK, HOOK_SECRET="another")

    assert changed(before, after) == changed(before, secret) == ("events",)
    assert digest(before) != digest(after)
    assert digest(before) == digest(secret)
