"""A value and its differences give the other value, for all JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.diff.apply import DoesNotFit, applied, applied_things
from bot.domain.diff.things import things_between
from bot.domain.diff.walk import ChangeOp, Difference, differences
from store.document import Document, canonical
from store.records import Json
from tests.unit.store.odd_documents import documents

leaves = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("ab1", max_size=2))
items = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "c", "1", "2"]),
        "role": st.sampled_from(["system", "user"]),
        "text": st.text("xy", max_size=2),
        "deep": st.lists(st.fixed_dictionaries({"n": st.integers(0, 2)}), max_size=3),
    },
)
values: st.SearchStrategy[Any] = st.recursive(
    leaves | st.lists(items, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1", max_size=2), inner),
    max_leaves=12,
)


@given(values, values)
@settings(max_examples=400)
def test_what_differs_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    found = list(differences(before, after))

    assert canonical(applied(before, found)) == canonical(after)


@given(st.lists(items, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_a_shuffled_list_is_put_in_order_by_moves_alone(before: Any, random: Any) -> None:
    after = list(before)
    random.shuffle(after)
    found = list(differences(before, after))

    assert {place.op for place in found} <= {ChangeOp.MOVED}
    assert applied(before, found) == after


@given(values)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(differences(value, value)) == []


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (3, Difference(("a",), ChangeOp.REMOVED, 1, None, (None,))),
        ({}, Difference(("a",), ChangeOp.REMOVED, 1, None, (None,))),
        ({}, Difference(("a",), ChangeOp.CHANGED, 1, 2, (None,))),
        ([], Difference(("a",), ChangeOp.CHANGED, 1, 2, (None,))),
        ([], Difference(("1",), ChangeOp.REMOVED, {}, None, ((1, 0),))),
        ([], Difference(("3",), ChangeOp.ADDED, None, {}, ((0, 3),))),
    ],
)
def test_differences_of_something_else_are_refused(value: Any, place: Difference) -> None:
    with pytest.raises(DoesNotFit):
        applied(value, [place])


def test_a_whole_that_is_replaced_has_no_other_differences() -> None:
    whole = Difference((), ChangeOp.CHANGED, 1, 2)

    with pytest.raises(DoesNotFit):
        applied(1, [whole, whole])


def _told(meant: Mapping[str, Json]) -> bytes:
    """*meant* without empty lists of variables: those that went with their list are told alone."""
    lists = ("environment_variables", "conversation_variables")
    return canonical({k: v for k, v in meant.items() if not (k in lists and v == [])})


@given(documents, documents)
@settings(max_examples=150)
def test_the_changes_between_two_documents_lead_from_one_to_the_other_in_meaning(
    before: Document, after: Document
) -> None:
    found = list(things_between(before.content, after.content))

    assert _told(applied_things(before.meant, found)) == _told(after.meant)


@given(documents)
@settings(max_examples=40)
def test_nothing_differs_between_a_document_and_itself(document: Document) -> None:
    again = Document(document.mode, document.content)

    assert list(things_between(document.content, again.content)) == []
