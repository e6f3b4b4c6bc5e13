"""What Alertmanager sends becomes records, or is refused by name; it never fails otherwise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.alertmanager import wire
from bot.domain.naming import LabelMap, Match
from bot.errors import BadInput, TooLarge
from store.records import AppEnv, Delivery, FiringStatus
from tests.adapters.alertmanager.bodies import RECORDED, a_message, an_alert, as_body, recorded

TRIAGE = AppEnv("support-triage", "prod")
CHECKOUT = AppEnv("checkout-bot", "prod")


def parse(body: bytes, *, labels: LabelMap | None = None, known: Any = (TRIAGE,)) -> Delivery:
    return wire.parse(body, labels=labels or LabelMap(), known=known)


def parse_one(**changes: Any) -> Any:
    (firing,) = parse(as_body(a_message(an_alert(**changes)))).firings
    return firing


# -- What real Alertmanagers sent ---------------------------------------------------------------


def test_there_are_152_recorded_bodies() -> None:
    assert len(RECORDED) == 152


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_body_parses_with_nothing_lost(path: Path) -> None:
    body = path.read_bytes()
    told = json.loads(body)

    delivery = parse(body, known={CHECKOUT})

    assert delivery.body == body
    assert (delivery.receiver, delivery.group_key) == (told["receiver"], told["groupKey"])
    assert delivery.truncated == told["truncatedAlerts"]
    assert [f.fingerprint for f in delivery.firings] == [a["fingerprint"] for a in told["alerts"]]
    assert [f.status for f in delivery.firings] == [a["status"] for a in told["alerts"]]
    assert [dict(f.labels) for f in delivery.firings] == [a["labels"] for a in told["alerts"]]
    for firing in delivery.firings:
        assert firing.starts_at.tzinfo is UTC
        assert (firing.ends_at is None) == (firing.status is FiringStatus.FIRING)
        here = (firing.labels.get("app"), firing.labels.get("env")) == ("checkout-bot", "prod")
        assert firing.where == (CHECKOUT if here else None)


def test_a_repeat_has_the_digest_of_the_first_delivery() -> None:
    first, repeat = parse(recorded(5)), parse(recorded(6))

    assert first.digest == repeat.digest


def test_the_same_alert_for_another_receiver_is_another_delivery() -> None:
    assert parse(recorded(0)).digest != parse(recorded(5)).digest


def test_one_body_mixes_firing_and_resolved_alerts() -> None:
    states = {firing.status for firing in parse(recorded(32)).firings}

    assert states == {FiringStatus.FIRING, FiringStatus.RESOLVED}


def test_alerts_that_were_cut_off_are_counted() -> None:
    assert parse(recorded(44)).truncated == 4


def test_an_app_may_have_a_name_in_any_script() -> None:
    apps = {f.where for n in range(28, 43) for f in parse(recorded(n), known=_Everything()).firings}

    assert AppEnv("客服-bot", "prod") in apps


# -- The digest ---------------------------------------------------------------------------------


def test_the_digest_does_not_depend_on_the_order_of_the_alerts() -> None:
    one, two = an_alert(fingerprint="aa"), an_alert(fingerprint="bb")

    assert parse(as_body(a_message(one, two))).digest == parse(as_body(a_message(two, one))).digest


@pytest.mark.parametrize(
    "other",
    [
        a_message(an_alert(status="resolved", endsAt="2026-11-23T23:00:00Z")),
        a_message(an_alert(startsAt="2026-11-23T22:53:49.339Z")),
        a_message(an_alert(fingerprint="aa")),
        a_message(groupKey="{}:{app}"),
        a_message(an_alert(), an_alert(fingerprint="aa")),
    ],
    ids=["status", "start", "fingerprint", "group", "another alert"],
)
def test_the_digest_changes_with_what_is_told(other: dict[str, Any]) -> None:
    assert parse(as_body(other)).digest != parse(as_body(a_message())).digest


def test_the_digest_does_not_change_with_annotations() -> None:
    other = a_message(an_alert(annotations={"summary": "Error ratio 31%"}))

    assert parse(as_body(other)).digest == parse(as_body(a_message())).digest


# -- Times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-23T22:53:49Z", datetime(2026, 11, 23, 22, 53, 49, tzinfo=UTC)),
        ("2026-11-23T22:53:49.5Z", datetime(2026, 11, 23, 22, 53, 49, 500000, tzinfo=UTC)),
        ("2026-11-23T22:53:49.123456789Z", datetime(2026, 11, 23, 22, 53, 49, 123000, tzinfo=UTC)),
        ("2026-11-24T00:53:49+02:00", datetime(2026, 11, 23, 22, 53, 49, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_utc_to_the_millisecond(told: str, meant: datetime) -> None:
    firing = parse_one(startsAt=told)

    assert firing.starts_at == meant
    assert firing.starts_at.tzinfo is UTC


def test_an_alert_that_still_fires_has_no_end_whatever_end_is_told() -> None:
    assert parse_one(endsAt="2026-11-23T23:53:49Z").ends_at is None


@pytest.mark.parametrize(
    "told",
    [
        "2026-11-23T22:53:49",
        "0001-01-01T00:00:00Z",
        "2026-13-23T22:53:49Z",
        "9999-12-31T23:59:59-23:59",
        "2026-11-23T22:53:49+99:99",
        "yesterday",
        "",
        "٢٠٢٦-11-23T22:53:49Z",
        1764000000,
    ],
)
def test_a_start_without_a_zone_or_sense_is_refused(told: object) -> None:
    with pytest.raises(BadInput):
        parse_one(startsAt=told)


# -- Which app ----------------------------------------------------------------------------------


def test_an_alert_of_an_unknown_app_is_kept_without_a_place() -> None:
    assert parse_one(labels={"alertname": "Up", "app": "stranger", "env": "prod"}).where is None


def test_an_alert_without_an_environment_has_no_place() -> None:
    assert parse_one(labels={"alertname": "Up", "app": "support-triage"}).where is None


def test_an_empty_label_is_an_absent_one() -> None:
    assert "region" not in parse_one(labels={"app": "support-triage", "region": ""}).labels


def test_the_labels_that_name_app_and_environment_can_be_chosen() -> None:
    labels = LabelMap(app="bot", env="stage")
    body = as_body(a_message(an_alert(labels={"bot": "support-triage", "stage": "prod"})))

    (firing,) = parse(body, labels=labels).firings

    assert firing.where == TRIAGE


def test_labels_that_mean_an_app_win_over_its_label_and_the_most_exact_ones_win() -> None:
    other = AppEnv("kb-search", "prod")
    labels = LabelMap(
        match=(
            Match({"service": ("api",)}, "support-triage"),
            Match({"service": ("api",), "shard": ("kb",)}, "kb-search"),
        )
    )

    def where(**extra: str) -> AppEnv | None:
        return labels.where({"app": "x", "env": "prod", **extra}, {TRIAGE, other})

    assert where(service="api") == TRIAGE
    assert where(service="api", shard="kb") == other
    assert where(service="web") is None


# -- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "text",
        {},
        a_message(version="3"),
        a_message(version=4),
        a_message(version=None),
        a_message(alerts="none"),
        a_message(alerts={}),
        a_message(alerts=[[]]),
        a_message(alerts=["alert"]),
        a_message(groupKey=None),
        a_message(groupKey=7),
        a_message(receiver=None),
        a_message(truncatedAlerts=-1),
        a_message(truncatedAlerts=True),
        a_message(truncatedAlerts="many"),
        a_message(truncatedAlerts=2**40),
        a_message(an_alert(labels=[])),
        a_message(an_alert(labels={"app": 7})),
        a_message(an_alert(labels={"app": None})),
        a_message(an_alert(labels={f"l{n}": "x" for n in range(201)})),
        a_message(an_alert(annotations={"summary": {"deep": "er"}})),
        a_message(an_alert(status="pending")),
        a_message(an_alert(status=None)),
        a_message(an_alert(fingerprint=None)),
        a_message(an_alert(fingerprint="")),
        a_message(an_alert(fingerprint="not hexadecimal")),
        a_message(an_alert(startsAt=None)),
        a_message(an_alert(status="resolved", endsAt=None)),
        a_message(an_alert(status="resolved", endsAt="soon")),
    ],
    ids=lambda message: json.dumps(message)[:40],
)
def test_a_wrong_shape_is_refused(message: object) -> None:
    with pytest.raises(BadInput):
        parse(as_body(message))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"version":"4","receiver":"\\ud800","groupKey":"","alerts":[]}',
        b"NaN",
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        parse(body)


def test_a_refusal_quotes_nothing_of_the_body() -> None:
    with pytest.raises(BadInput) as refusal:
        parse_one(startsAt="hunter2", labels={"app": "hunter2"})

    assert "hunter2" not in str(refusal.value)


def test_a_text_that_is_too_long_is_cut() -> None:
    firing = parse_one(annotations={"summary": "x" * 70_000})

    assert len(firing.annotations["summary"]) == wire.MAX_TEXT
    assert firing.annotations["summary"].endswith("x…")


def test_an_alert_that_cannot_be_read_is_counted_and_does_not_take_its_group_along() -> None:
    odd = [an_alert(startsAt="soon"), an_alert(labels={"app": 7}), an_alert(status="pending")]

    delivery = parse(as_body(a_message(odd[0], an_alert(), *odd[1:])))

    assert len(delivery.firings) == 1
    assert delivery.unreadable == 3


def test_an_ordinary_storm_of_ten_thousand_alerts_fits() -> None:
    alert = an_alert(annotations={"description": "x" * 900})
    storm = [{**alert, "fingerprint": f"{n:016x}"} for n in range(10_000)]

    assert len(parse(as_body(a_message(alerts=storm))).firings) == 10_000


def test_more_than_sixteen_mebibytes_are_too_much() -> None:
    with pytest.raises(TooLarge):
        parse(as_body(a_message()) + b" " * wire.MAX_BYTES)


def test_more_than_ten_thousand_alerts_are_too_much() -> None:
    with pytest.raises(TooLarge):
        parse(as_body(a_message(alerts=[{}] * 10_001)))


def test_nul_becomes_its_symbol_because_postgresql_stores_none() -> None:
    firing = parse_one(annotations={"sum\0mary": "a\0b"})

    assert firing.annotations == {"sum␀mary": "a␀b"}


def test_hostile_texts_come_through_unchanged() -> None:
    text = '<b>&"quotes" \u2028 \u202e 🎉 <!channel> {{ 7*7 }}\x1b[2J'

    assert parse_one(annotations={"summary": text}).annotations["summary"] == text


def test_the_same_firing_twice_in_one_body_counts_once_and_resolved_wins() -> None:
    firing = an_alert()
    resolved = an_alert(status="resolved", endsAt="2026-11-23T23:00:00Z")

    for pair in ((firing, resolved), (resolved, firing)):
        (kept,) = parse(as_body(a_message(*pair))).firings
        assert kept.status is FiringStatus.RESOLVED


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    path=st.sampled_from(RECORDED),
    key=st.sampled_from(["version", "alerts", "groupKey", "receiver", "truncatedAlerts"]),
    alert_key=st.sampled_from(
        ["labels", "annotations", "startsAt", "endsAt", "status", "fingerprint"]
    ),
    value=_json_values,
    in_alert=st.booleans(),
)
def test_a_recorded_body_with_one_value_replaced_is_read_or_refused(
    path: Path, key: str, alert_key: str, value: object, in_alert: bool
) -> None:
    message = json.loads(path.read_bytes())
    (message["alerts"][0] if in_alert else message)[alert_key if in_alert else key] = value

    try:
        delivery = parse(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except (BadInput, TooLarge):
        return

    assert all(firing.starts_at.tzinfo is UTC for firing in delivery.firings)


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        parse(body)


class _Everything:
    def __contains__(self, item: object) -> bool:
        return True


def test_the_labels_of_a_group_are_kept_where_it_was_cut_short() -> None:
    cut, whole = parse(recorded(44)), parse(recorded(0))

    assert cut.truncated == 4
    assert cut.group_labels == json.loads(recorded(44))["groupLabels"]
    assert whole.group_labels is None
