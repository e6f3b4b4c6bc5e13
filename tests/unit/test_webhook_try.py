"""`keyturn webhook try`: what would be understood of a recorded body, and what would be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import main
from tests.unit.test_config_alerting import APP, SENDER

EVENT = {"state": "firing", "title": "Too slow", "since": 1795521600, "service": "triage"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = tmp_path / "keyturn.toml"
    config.write_text(APP + SENDER, encoding="utf-8")
    given = {"KEYTURN_CONFIG": str(config), "DIFY_PASSWORD": "x", "PAGER_TOKEN": "t"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "body.json"


def tried(file: Path, body: object, name: str = "pager") -> Result:
    file.write_text(json.dumps(body), encoding="utf-8")
    words = ["webhook", "try", name, str(file)]
    return CliRunner().invoke(main.program(words), words)


def test_what_is_understood_is_said_alert_by_alert(file: Path) -> None:
    found = tried(file, EVENT)

    assert found.exit_code == 0
    assert found.output.startswith("firing  triage@prod  2026-11-24 12:00:00 UTC  ")
    assert "alertname='Too slow'" in found.output


def test_what_names_no_app_of_ours_is_said(file: Path) -> None:
    found = tried(file, {**EVENT, "service": "billing"})

    assert found.exit_code == 1
    assert "no configured app" in found.output


def test_what_would_be_refused_is_said_with_its_place(file: Path) -> None:
    found = tried(file, {**EVENT, "since": "soon"})

    assert found.exit_code == 1
    assert "answered 400: starts_at (/since) is not a time" in found.output


def test_a_sender_that_is_not_mapped_is_wrong_use(file: Path) -> None:
    found = tried(file, EVENT, name="pigeon")

    assert found.exit_code == 2
    assert "there are: pager, alertmanager, grafana" in found.output


def test_grafanas_bodies_need_no_mapping(file: Path) -> None:
    labels = {"alertname": "Wrong", "app": "triage", "env": "prod"}
    began = "2026-11-24T12:00:00Z"
    alert = {"status": "firing", "labels": labels, "startsAt": began, "fingerprint": "c6ea"}
    body = {"version": "1", "groupKey": "", "receiver": "k", "alerts": [alert]}

    assert "triage@prod" in tried(file, body, name="grafana").output


def test_alertmanagers_own_are_tried_too_and_where_there_is_no_alert_that_is_said(
    file: Path,
) -> None:
    labels = {"alertname": "Wrong", "app": "triage", "env": "prod"}
    alert = {"status": "firing", "labels": labels, "startsAt": "2026-11-24T12:00:00Z"}
    alert |= {"fingerprint": "c6ea"}
    body = {"version": "4", "groupKey": "{}", "receiver": "k", "alerts": [alert]}
    unnamed = {**body, "alerts": [{**alert, "labels": {"alertname": "Wrong"}}]}

    found = tried(file, body, name="alertmanager")
    nothing = tried(file, {**body, "alerts": []}, name="alertmanager")
    nobody = tried(file, unnamed, name="alertmanager")

    assert (found.exit_code, "triage@prod" in found.output) == (0, True)
    assert (nothing.exit_code, "there is no alert in it" in nothing.output) == (1, True)
    assert "look at the labels above" in nobody.output


def test_a_body_comes_by_a_pipe_too(file: Path) -> None:
    words = ["webhook", "try", "pager", "-"]

    found = CliRunner().invoke(main.program(words), words, input=json.dumps(EVENT))

    assert (found.exit_code, "triage@prod" in found.output) == (0, True)
