"""Long answers in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.paging import LINES, Numbers, count, numbers, pages

WHOLE = st.integers(1, 500)


def test_the_newest_versions_are_on_the_first_page() -> None:
    assert numbers(1, 20, 1) == Numbers(1, 3, top=20, low=13)
    assert numbers(1, 20, 3) == Numbers(3, 3, top=4, low=1)


@pytest.mark.parametrize("page", [0, 4])
def test_there_is_no_page_beyond_the_last(page: int) -> None:
    assert numbers(1, 20, page) is None


def test_what_is_not_imported_is_on_no_page() -> None:
    assert numbers(481, 500, 3) == Numbers(3, 3, top=484, low=481)


@given(WHOLE, WHOLE)
def test_every_number_is_on_exactly_one_page(first: int, more: int) -> None:
    last = first + more
    seen: list[int] = []
    for page in range(1, count(first, last) + 1):
        found = numbers(first, last, page)
        assert found is not None
        seen += range(found.top, found.low - 1, -1)

    assert seen == list(range(last, first - 1, -1))


def test_no_lines_are_one_empty_page() -> None:
    assert pages([]) == [[]]


def test_a_long_line_goes_on_in_the_next_with_its_mark() -> None:
    ((first, second),) = pages(["+ " + "x" * 500])

    assert first.startswith("+ x")
    assert second.startswith("+ x")
    assert len(first) + len(second) == 504


@given(st.lists(st.text("abc<&", max_size=900), max_size=90))
def test_pages_hold_every_line_in_order_and_fit_a_message(lines: list[str]) -> None:
    made = pages(lines)

    assert all(len(page) <= LINES for page in made)
    assert all(sum(map(len, page)) + len(page) <= 8_000 for page in made)
    assert "".join(line for page in made for line in page) == "".join(lines)
