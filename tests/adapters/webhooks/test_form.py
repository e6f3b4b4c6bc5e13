"""How a mapped sender's bodies are read: what is meant, and what is refused by its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.webhooks.form import MAX_ALERTS, Form, read
from bot.adapters.webhooks.pointer import Constant, Place, Pointer, place
from bot.domain.naming import LabelMap
from bot.errors import BadInput, TooLarge
from store.records import Delivery, FiringStatus
from tests.builders import PROD

LABELS: dict[str, Place] = {"app": Pointer(("tags", "service")), "env": Constant("prod")}
FORM = Form(
    source="pager",
    status=Pointer(("state",)),
    name=Pointer(("title",)),
    starts_at=Pointer(("since",)),
    firing=frozenset({"alerting"}),
    resolved=frozenset({"ok"}),
    ignored=frozenset({"test"}),
    ends_at=Pointer(("until",)),
    fingerprint=(Pointer(("id",)),),
    labels=LABELS,
    annotations={"summary": Pointer(("text",))},
)
SEVERAL = replace(FORM, alerts=Pointer(("events",), whole=True))


def an_alert(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": 17,
        "title": "Too slow",
        "state": "Alerting",
        "since": "2026-11-24T11:55:00.123456789+01:00",
        "tags": {"service": PROD.app},
        "text": "p95 is 9 s",
    }
    return {**facts, **changes}


def understood(body: object, form: Form = FORM) -> Delivery:
    return read(orjson.dumps(body), form, labels=LabelMap(), known={PROD})


def test_an_alert_is_read_as_the_mapping_says() -> None:
    (firing,) = understood(an_alert()).firings

    assert (firing.source, firing.where, firing.alertname) == ("pager", PROD, "Too slow")
    assert firing.status is FiringStatus.FIRING
    assert firing.starts_at == datetime(2026, 11, 24, 10, 55, 0, 123456, tzinfo=UTC)
    assert firing.labels == {"app": PROD.app, "env": "prod", "alertname": "Too slow"}
    assert firing.annotations == {"summary": "p95 is 9 s"}
    assert firing.ends_at is None


@pytest.mark.parametrize("since", [1763978100, 1763978100000, "1763978100", "2025-11-24T09:55:00Z"])
def test_times_are_understood_in_seconds_milliseconds_and_words(since: object) -> None:
    (firing,) = understood(an_alert(since=since)).firings

    assert firing.starts_at == datetime(2025, 11, 24, 9, 55, tzinfo=UTC)


def test_the_same_fields_make_the_same_alert_whatever_else_changes() -> None:
    (first,) = understood(an_alert()).firings
    (ended,) = understood(an_alert(state="OK", text="", until=1795521600)).firings
    (other,) = understood(an_alert(id=18)).firings

    assert ended.fingerprint == first.fingerprint != other.fingerprint
    assert (ended.status, ended.starts_at) == (FiringStatus.RESOLVED, first.starts_at)
    assert ended.ends_at is not None


def test_without_fields_of_its_own_the_labels_make_the_alert() -> None:
    form = replace(FORM, fingerprint=())
    (first,) = understood(an_alert(), form).firings
    (same,) = understood(an_alert(id=99), form).firings
    (other,) = understood(an_alert(title="Other"), form).firings

    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_a_repeat_has_the_digest_of_the_first() -> None:
    assert understood(an_alert()).digest == understood(an_alert(text="again")).digest
    assert understood(an_alert()).digest != understood(an_alert(state="ok")).digest


def test_a_list_is_read_alert_by_alert_and_one_that_cannot_be_read_is_left_out() -> None:
    body = {"events": [an_alert(), an_alert(id=2, since="yesterday"), an_alert(id=3, state="test")]}

    delivery = understood(body, SEVERAL)

    assert (len(delivery.firings), delivery.unreadable) == (1, 1)


def test_what_stands_at_the_top_of_the_body_counts_for_every_alert() -> None:
    form = replace(SEVERAL, status=Pointer(("status",), whole=True))
    delivery = understood({"status": "ok", "events": [an_alert(), an_alert(id=2)]}, form)

    assert {firing.status for firing in delivery.firings} == {FiringStatus.RESOLVED}


def test_an_app_that_is_not_known_is_kept_without_one() -> None:
    (firing,) = understood(an_alert(tags={"service": "elsewhere"})).firings

    assert firing.where is None


@pytest.mark.parametrize(
    ("changes", "place_of_it"),
    [
        ({"state": "on fire"}, "status (/state)"),
        ({"state": None}, "status (/state)"),
        ({"since": "2026-11-24T11:55:00"}, "starts_at (/since)"),
        ({"since": ""}, "starts_at (/since)"),
        ({"since": -5}, "starts_at (/since)"),
        ({"since": 10**18}, "starts_at (/since)"),
        ({"title": ["a"]}, "name (/title)"),
        ({"id": {}}, "fingerprint (/id)"),
        ({"tags": {"service": {"a": 1}}}, "labels.app (/tags/service)"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_place_and_not_quoted(
    changes: dict[str, Any], place_of_it: str
) -> None:
    with pytest.raises(BadInput) as refused:
        understood(an_alert(**changes))

    assert str(refused.value).startswith(place_of_it)
    assert "on fire" not in str(refused.value)


def test_what_is_no_list_or_too_long_a_one_is_refused() -> None:
    with pytest.raises(BadInput, match="#/events is not a list"):
        understood({"events": {}}, SEVERAL)
    with pytest.raises(TooLarge):
        understood({"events": [{}] * (MAX_ALERTS + 1)}, SEVERAL)
    with pytest.raises(BadInput, match="not JSON"):
        read(b"{", FORM, labels=LabelMap(), known={PROD})


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
JSON = st.recursive(
    PLAIN | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*an_alert(), "until", "events"]), JSON))
def test_whatever_comes_is_read_or_refused(changes: dict[str, Any]) -> None:
    for form in (FORM, SEVERAL):
        try:
            delivery = understood({**an_alert(), **changes}, form)
        except (BadInput, TooLarge):
            continue
        assert all(firing.starts_at.tzinfo is UTC for firing in delivery.firings)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("prod", Constant("prod")),
        ("/labels/a~1b~0c", Pointer(("labels", "a/b~c"))),
        ("#/alerts", Pointer(("alerts",), whole=True)),
        ("#", Pointer((), whole=True)),
    ],
)
def test_a_place_is_a_pointer_or_a_text(text: str, found: Place) -> None:
    assert place(text) == found
    if isinstance(found, Pointer):
        assert str(found) == text


def test_a_pointer_with_a_wrong_escape_is_refused() -> None:
    with pytest.raises(ValueError, match="~0"):
        place("/a~2b")


@pytest.mark.parametrize("steps", [("a", "1"), ("a", "01"), ("a", "9"), ("a", "-1"), ("b",)])
def test_a_pointer_leads_into_lists_by_number(steps: tuple[str, ...]) -> None:
    found = Pointer(steps).find({"a": ["x", "y"]}, None)

    assert (found == "y") is (steps == ("a", "1"))
