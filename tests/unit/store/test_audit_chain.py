"""The audit chain as arithmetic; its form is frozen by a vector file, for other programs too."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import chain
from store.records import AuditDraft, AuditEntry, Unstorable

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "audit_chain.json").read_text())
ENTRIES: list[dict[str, Any]] = VECTORS["entries"]
DRAFT = AuditDraft("alice", "vote", "rollback/1", "ok", {"why": "a test"}, ip_note="a test")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def linked(draft: AuditDraft = DRAFT, *, seq: int = 1, prev: str = chain.GENESIS) -> AuditEntry:
    return chain.link(draft, seq=seq, timestamp="2026-11-24T12:00:00.000000Z", prev=prev)


def test_the_tag_and_the_genesis_stay_what_they_were() -> None:
    assert VECTORS["tag"].encode() == chain.TAG
    assert VECTORS["genesis"] == chain.GENESIS


@pytest.mark.parametrize("vector", ENTRIES, ids=[v["draft"]["action"] for v in ENTRIES])
def test_canonical_form_and_hash_stay_what_they_were(vector: dict[str, Any]) -> None:
    entry = chain.link(
        AuditDraft(**vector["draft"]),
        seq=vector["seq"],
        timestamp=vector["timestamp"],
        prev=vector["prev"],
    )

    assert chain.canonical(entry).decode() == vector["canonical"]
    assert entry.hash == chain.hash_of(entry) == vector["hash"]
    assert chain.flaw(entry, seq=vector["seq"], prev=vector["prev"]) == ""


@pytest.mark.parametrize("field", [f.name for f in fields(AuditEntry) if f.name != "hash"])
def test_every_field_is_under_the_hash(field: str) -> None:
    entry = linked()
    other: Any = {"seq": 2, "what": {"why": "another"}}.get(field, "another")

    assert chain.hash_of(replace(entry, **{field: other})) != entry.hash


@given(what=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
def test_an_entry_that_went_through_json_has_the_same_hash(what: dict[str, Any]) -> None:
    entry = linked(replace(DRAFT, what=what))

    again = AuditEntry(**json.loads(json.dumps(asdict(entry))))

    assert chain.hash_of(again) == entry.hash


def test_what_looks_alike_in_two_fields_is_not_alike() -> None:
    """Fields cannot be moved into each other: each has its name under the hash."""
    one = linked(replace(DRAFT, user_id="ab", action="c"))
    other = linked(replace(DRAFT, user_id="a", action="bc"))

    assert one.hash != other.hash


def test_the_order_of_facts_does_not_matter() -> None:
    assert (
        linked(replace(DRAFT, what={"a": 1, "b": 2})).hash
        == linked(replace(DRAFT, what={"b": 2, "a": 1})).hash
    )


def test_a_later_change_of_the_facts_does_not_reach_the_entry() -> None:
    facts: dict[str, Any] = {"names": ["alice"]}
    entry = linked(replace(DRAFT, what=facts))
    facts["names"].append("mallory")

    assert entry.what == {"names": ["alice"]}


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (replace(DRAFT, what={"nan": float("nan")}), "the facts of vote are not JSON: Out of"),
        (replace(DRAFT, what={"set": {1}}), "the facts of vote are not JSON: Object of type set"),
        (replace(DRAFT, what={"half": "\ud800"}), "vote has text with half a character"),
        (replace(DRAFT, what={"\ud800": 1}), "vote has text with half a character"),
        (replace(DRAFT, user_id="\ud800"), "vote has text with half a character"),
        (replace(DRAFT, what={"bytes": b"x"}), "the facts of vote are not JSON: Object of type"),
    ],
)
def test_what_is_no_json_is_unstorable(draft: AuditDraft, says: str) -> None:
    with pytest.raises(Unstorable, match=f"^{says}"):
        linked(draft)


@pytest.mark.parametrize(
    "what", [{"nan": float("nan")}, {"half": "\ud800"}, {"set": {1}}, None, 7, "text"]
)
def test_facts_that_cannot_be_recorded_are_a_flaw_whatever_hash_they_carry(what: Any) -> None:
    forged = replace(linked(), what=what)

    assert chain.flaw(forged, seq=1, prev=chain.GENESIS) == (
        "entry 1 was changed: it says what cannot be recorded"
    )


def test_a_timestamp_is_utc_with_microseconds() -> None:
    zone = timezone(timedelta(hours=-3))

    assert chain.timestamp(datetime(2026, 11, 24, 9, tzinfo=zone)) == "2026-11-24T12:00:00.000000Z"
    assert chain.timestamp(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)) == "2026-01-02T03:04:05.000006Z"


def test_a_timestamp_is_the_same_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        said = chain.timestamp(datetime(2026, 11, 24, 12, tzinfo=UTC))
    time.tzset()

    assert said == "2026-11-24T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seq": 3}, "missing"),
        ({"prev": "0" * 64}, "does not follow"),
        ({"user_id": "mallory"}, "changed"),
        ({"hash": "0" * 64}, "changed"),
    ],
)
def test_a_flaw_is_told_in_words(changes: dict[str, Any], said: str) -> None:
    first = linked()
    second = linked(seq=2, prev=first.hash)

    assert chain.flaw(second, seq=2, prev=first.hash) == ""
    assert said in chain.flaw(replace(second, **changes), seq=2, prev=first.hash)
