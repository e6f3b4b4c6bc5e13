"""A chain walked with what was kept outside: the first entry that is not what was anchored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from store import chain
from store.records import AuditAnchor, AuditDraft, AuditEntry, Verification
from store.walk import Walk

ENTRIES = 9


def a_chain(count: int = ENTRIES, *, another_from: int = ENTRIES + 1) -> list[AuditEntry]:
    """A whole chain; entries from *another_from* on tell another story."""
    entries: list[AuditEntry] = []
    prev = chain.GENESIS
    for seq in range(1, count + 1):
        user = "mallory" if seq >= another_from else "alice"
        draft = AuditDraft(user, "vote.approve", "rollback/1", "ok", {"n": seq}, ip_note="a test")
        moment = "2026-11-24T12:00:00.000000Z"
        entries.append(chain.link(draft, seq=seq, timestamp=moment, prev=prev))
        prev = entries[-1].hash
    return entries


def kept(*numbers: int, digits: int = 64) -> list[AuditAnchor]:
    return [AuditAnchor(seq, a_chain()[seq - 1].hash[:digits]) for seq in numbers]


def walked(
    entries: Sequence[AuditEntry],
    anchors: Sequence[AuditAnchor] = (),
    *,
    head: tuple[int, str] | None = None,
) -> Verification:
    walk = Walk(anchors, head=head)
    all(map(walk.take, entries))
    return walk.end()


def test_a_whole_chain_holds_every_anchor() -> None:
    entries = a_chain()

    found = walked(entries, kept(3, 7, 7), head=(9, entries[-1].hash))

    assert found == Verification(True, 9, entries[-1].hash, held=3, anchored=7)


def test_the_beginning_of_a_hash_is_an_anchor_too() -> None:
    assert walked(a_chain(), kept(5, digits=12)).held == 1
    assert not walked(a_chain(another_from=4), kept(5, digits=12)).ok


@pytest.mark.parametrize("first", range(1, ENTRIES + 1))
def test_a_chain_that_was_written_anew_is_found_at_the_first_anchor_after_that(first: int) -> None:
    anew = a_chain(another_from=first)
    head = (ENTRIES, anew[-1].hash)
    assert walked(anew, head=head).ok

    found = walked(anew, kept(3, 6), head=head)

    named = next((seq for seq in (3, 6) if seq >= first), None)
    assert (found.ok, found.broken_at) == (named is None, named)


def test_what_is_said_names_the_anchor_and_the_last_one_that_held() -> None:
    found = walked(a_chain(another_from=5), kept(2, 6))

    assert found.why.startswith("entry 6 is not what was anchored (")
    assert kept(6)[0].hash[:12] in found.why
    assert found.why.endswith("the chain was written anew after entry 2")
    assert (found.entries, found.held, found.anchored) == (5, 1, 2)


@pytest.mark.parametrize("left", range(ENTRIES))
def test_an_end_that_was_cut_off_with_its_head_is_found_up_to_the_last_anchor(left: int) -> None:
    cut = a_chain(left)
    head = (left, cut[-1].hash if cut else chain.GENESIS)
    assert walked(cut, head=head).ok

    found = walked(cut, kept(2, 6), head=head)

    assert found.ok == (left >= 6)
    if not found.ok:
        assert found.broken_at == left + 1
        assert f"ends at {left}, but entry 6 was anchored" in found.why


def test_a_flaw_of_the_chain_is_named_before_an_anchor_that_it_breaks() -> None:
    entries = a_chain()
    entries[3] = replace(entries[3], user_id="mallory")

    found = walked(entries, kept(4))

    assert (found.broken_at, found.why) == (
        4,
        "entry 4 was changed: its hash is not that of its content",
    )


def test_two_anchors_of_one_entry_that_differ_cannot_both_hold() -> None:
    found = walked(a_chain(), [*kept(4), AuditAnchor(4, "0" * 64)])

    assert (found.ok, found.broken_at) == (False, 4)


def test_nothing_that_comes_after_a_wrong_entry_is_taken() -> None:
    walk = Walk(kept(3))
    entries = a_chain(another_from=3)

    assert [walk.take(entry) for entry in entries[:3]] == [True, True, False]
    assert walk.end().entries == 2
