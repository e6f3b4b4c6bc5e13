"""Which audit entries tell of a rollback, and what of them may be shown."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

from bot.domain.record.entries import as_text, canonical_line, of_rollback, resources
from store.records import AuditEntry
from tests.builders import NOON, PROD, a_case, a_rollback

ROLLBACK, CASE = a_rollback(), a_case()


def an_entry(seq: int, resource: str, *, minutes: float = 0, **changes: Any) -> AuditEntry:
    at = (NOON + timedelta(minutes=minutes)).astimezone(UTC)
    facts: dict[str, Any] = {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "user_id": "keyturn",
        "action": "did",
        "status": "ok",
        "ip_addr": None,
        "ip_note": "",
        "what": {},
        "trace_id": "",
        "prev": "0" * 64,
        "hash": f"{seq:064d}",
    }
    return AuditEntry(seq=seq, resource=resource, **{**facts, **changes})


def shown(*entries: AuditEntry) -> list[int]:
    return [one.entry.seq for one in of_rollback(entries, ROLLBACK, CASE)]


def test_entries_of_the_rollback_and_of_its_case_belong_to_it() -> None:
    assert shown(
        an_entry(1, f"rollback/{ROLLBACK.id}"),
        an_entry(2, f"case/{CASE.id}"),
        an_entry(3, f"case/{CASE.id}", what={"rollback": ROLLBACK.id}),
        an_entry(4, "meaning/abc", what={"rollback": ROLLBACK.id}),
    ) == [1, 2, 3, 4]


def test_entries_of_another_rollback_of_the_case_do_not() -> None:
    assert (
        shown(
            an_entry(1, f"case/{CASE.id}", what={"rollback": 99}),
            an_entry(2, "meaning/abc", what={"rollback": 99}),
            an_entry(3, f"app/{PROD}", action="history.see"),
            an_entry(4, "meaning/abc"),
        )
        == []
    )


def test_of_all_openings_of_the_app_s_cases_only_that_of_this_one_belongs_to_it() -> None:
    opening = {"action": "case.open", "what": {"app": str(PROD)}}
    assert shown(
        an_entry(1, f"app/{PROD}", minutes=-9, **opening),
        an_entry(2, f"app/{PROD}", minutes=0.01, **opening),
        an_entry(3, f"app/{PROD}", minutes=60, **opening),
    ) == [2]


def test_an_entry_with_nothing_to_hide_is_shown_whole_and_one_with_a_secret_in_part() -> None:
    token = "sk-proj-" + "abcdefghij0123456789" * 2
    plain = an_entry(1, f"rollback/{ROLLBACK.id}", what={"digest": "ab" * 32, "reason": "broken"})
    leaky = an_entry(2, f"rollback/{ROLLBACK.id}", what={"reason": f"the key {token} leaked"})

    whole, part = of_rollback([plain, leaky], ROLLBACK, CASE)

    assert (whole.withheld, whole.details) == (False, plain.what)
    assert part.withheld
    assert token not in str(part.details)


def test_details_that_somebody_made_no_object_of_are_shown_all_the_same() -> None:
    (found,) = of_rollback([an_entry(1, f"rollback/{ROLLBACK.id}", what=["odd"])], ROLLBACK, CASE)

    assert found.details == {"what": ["odd"]}


def test_a_line_is_the_canonical_form_with_the_hash() -> None:
    entry = an_entry(1, "case/5", what={"b": "ü", "a": 1})

    line = canonical_line(entry)

    assert line.startswith('{"action":"did","hash":"')
    assert '"what":{"a":1,"b":"ü"}' in line
    assert json.loads(line)["seq"] == 1


def test_what_is_asked_for_names_the_rollback_its_case_app_and_judgements() -> None:
    assert resources(ROLLBACK, CASE, ["ab" * 32]) == {
        "rollback/17",
        "case/5",
        f"app/{PROD}",
        str(PROD),
        "meaning/" + "ab" * 8,
    }


def test_a_detail_is_read_without_the_signs_of_json() -> None:
    assert as_text("yes") == "yes"
    assert as_text(["a", "b"]) == "a, b"
    assert as_text([]) == "none"
    assert as_text({"a": None}) == '{"a": null}'
