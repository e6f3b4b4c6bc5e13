"""What differs is named, a secret by its name alone; the digest tells change and no secret."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config.settings import DifySettings, Place, Settings, SlackSettings
from bot.domain.including import Include
from bot.domain.policy import Policy
from bot.renewal.changes import changed, digest, kept_until_restart
from store.records import AppEnv

PROD = AppEnv("triage", "prod")
DIFY = DifySettings("https://d", "a@b", SecretStr("geheim"), include=Include("prod"))
NOW = Settings(
    dify={"prod": DIFY},
    places={PROD: Place(PROD, "dify.prod", "id-1", "C1")},
    policies={"prod": Policy(reviewers=("U1", "U2"), named=True)},
    slack=SlackSettings(signing_secrets=(SecretStr("geheim-1"),), channel="C1"),
)
TAGS = Include("prod", tags=frozenset({"a", "b", "c", "d"}))


@pytest.mark.parametrize(
    ("then", "named"),
    [
        (replace(NOW), ()),
        (replace(NOW, policies={"prod": Policy(votes=1, named=True)}), ("policy",)),
        (replace(NOW, dify={"prod": replace(DIFY, password=SecretStr("x"))}), ("dify",)),
        (replace(NOW, dify={"prod": replace(DIFY, include=TAGS)}), ("dify",)),
        (replace(NOW, places={}), ("app",)),
        (replace(NOW, people={"U1": "alice"}), ("people",)),
        (replace(NOW, webhook_tokens=(SecretStr("x"),)), ("KEYTURN_WEBHOOK_TOKEN",)),
        (replace(NOW, slack=replace(NOW.slack, channel="C2")), ("slack",)),
        (
            replace(NOW, slack=replace(NOW.slack, signing_secrets=(SecretStr("x"),))),
            ("SLACK_SIGNING_SECRET",),
        ),
    ],
)
def test_what_changed_is_named(then: Settings, named: tuple[str, ...]) -> None:
    assert changed(NOW, then) == named


def test_what_can_only_be_set_at_start_stays_and_is_named() -> None:
    then = replace(NOW, port=1, database_url=SecretStr("sqlite:///x"), people={"U1": "a"})

    kept, names = kept_until_restart(NOW, then)

    assert names == ("DATABASE_URL", "PORT")
    assert kept == replace(NOW, people={"U1": "a"})


def test_another_policy_is_another_digest_and_another_secret_is_not() -> None:
    other = replace(NOW, policies={"prod": Policy(votes=1, named=True)})
    rotated = replace(NOW, dify={"prod": replace(DIFY, password=SecretStr("x"))})

    assert digest(NOW) != digest(other)
    assert digest(NOW) == digest(rotated)


def test_the_digest_is_the_same_in_every_process() -> None:
    tagged = replace(NOW, dify={"prod": replace(DIFY, include=TAGS)})
    code = (
        "from tests.unit.renewal.test_changes import *\n"
        "print(digest(replace(NOW, dify={'prod': replace(DIFY, include=TAGS)})))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == digest(tagged)
