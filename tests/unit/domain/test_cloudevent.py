"""An event as other systems read it: CloudEvents 1.0, and the published schema."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bot.domain.cloudevent import KINDS, PREFIX, chosen, event, known, source
from store.records import Announcement, AppEnv, State
from tests.builders import NOON, PROD

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text())
DOCUMENT = (ROOT / "docs" / "events.md").read_text()
EXAMPLES = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]
CHECK = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def an_announcement(**changes: Any) -> Announcement:
    facts: dict[str, Any] = {
        "number": 8,
        "where": PROD,
        "sequence": 3,
        "id": "6f0c2a52-51b5-4be5-8f2c-9a7d5b1f4e11",
        "kind": "version.condemned",
        "subject": "meaning/0123456789abcdef",
        "data": {"meaning": "ab" * 32, "rollback": 17},
        "at": NOON,
    }
    return Announcement(**{**facts, **changes})


def test_an_event_is_a_cloudevent_of_the_published_schema() -> None:
    CHECK.validate(event(an_announcement(), "https://keyturn.example.com"))


def test_its_source_is_the_app_in_its_environment() -> None:
    assert source(PROD, "") == "/keyturn/prod/support-triage"
    assert source(PROD, "https://k.example.com/") == (
        "https://k.example.com/keyturn/prod/support-triage"
    )
    assert source(AppEnv("客服-bot", "prod"), "") == "/keyturn/prod/%E5%AE%A2%E6%9C%8D-bot"


def test_its_time_is_in_utc_and_its_sequence_sorts_as_text() -> None:
    early = datetime(2026, 11, 24, 13, tzinfo=timezone(timedelta(hours=1)))
    first = event(an_announcement(at=early, sequence=9), "")
    second = event(an_announcement(sequence=10), "")

    assert first["time"] == "2026-11-24T12:00:00Z"
    assert datetime.fromisoformat(first["time"]) == early.astimezone(UTC)
    assert first["sequence"] < second["sequence"]


def test_the_same_event_is_the_same_whenever_it_is_sent() -> None:
    assert event(an_announcement(), "") == event(an_announcement(number=99), "")


@pytest.mark.parametrize(
    ("types", "gets"),
    [
        ((), True),
        (("rollback.approved",), True),
        (("dev.keyturn.rollback.approved",), True),
        (("rollback.*",), True),
        (("*",), True),
        (("version.*", "drift.noticed"), False),
        (("rollback",), False),
    ],
)
def test_types_are_named_by_themselves_or_by_their_beginning(
    types: tuple[str, ...], gets: bool
) -> None:
    assert chosen("rollback.approved", types) is gets


def test_only_types_that_there_are_can_be_named() -> None:
    assert known("rollback.*")
    assert known("dev.keyturn.drift.noticed")
    assert not known("rollback.aproved")
    assert not known("alert.*")


def test_every_state_of_a_rollback_has_its_type() -> None:
    assert {f"rollback.{state.value.lower()}" for state in State} <= set(KINDS)


def test_each_type_has_an_example_that_the_schema_takes() -> None:
    for example in EXAMPLES:
        CHECK.validate(example)
    assert [one["type"] for one in EXAMPLES] == [f"{PREFIX}{kind}" for kind in KINDS]


def test_what_each_type_means_stands_in_the_document() -> None:
    for kind, said in KINDS.items():
        assert f"| `{kind}` | {said} |" in DOCUMENT


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_demands_what_a_type_always_tells(kind: str) -> None:
    example = next(one for one in EXAMPLES if one["type"] == f"{PREFIX}{kind}")
    for name in example["data"]:
        less = {**example, "data": {k: v for k, v in example["data"].items() if k != name}}
        with pytest.raises(ValidationError):
            CHECK.validate(less)


def test_the_schema_leaves_room_for_extensions_and_for_more_data() -> None:
    traced = event(an_announcement(), "")
    traced["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced["data"]["later"] = True

    CHECK.validate(traced)
