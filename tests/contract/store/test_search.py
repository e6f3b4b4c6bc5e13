"""Which versions a search of the history brings, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.ports.store import Store
from store.records import Search
from tests.builders import NOON, PROD
from tests.contract.store.test_versions import STAGING, a_new, recorded
from tests.unit.services.scene import ENTRY

HOUR = timedelta(hours=1)
PUBLISHED = (  # name, comment, author
    ("Shorter answers", "asked by sales", "carol"),
    ("100% kinder", "", "Dave"),
    ("", "back to shorter ANSWERS", "carol"),
    ("under_score", "", "o'Hara; --"),
)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Versions 1 to 4, an hour apart from noon on; 2 is tagged, and so is another app's 1."""
    for number, (name, comment, author) in enumerate(PUBLISHED, start=1):
        new = a_new(
            f"live-{number}",
            external_name=name,
            external_comment=comment,
            author=author,
            published_at=NOON + (number - 1) * HOUR,
        )
        version = await recorded(store, new)
        if number == 2:
            async with store.write() as tx:
                await tx.tags.put(version, "good", entry=ENTRY)
    elsewhere = await recorded(store, a_new("live-1", where=STAGING, author="carol"))
    async with store.write() as tx:
        await tx.tags.put(elsewhere, "elsewhere", entry=ENTRY)
    return store


@pytest.mark.parametrize(
    ("search", "numbers"),
    [
        (Search(), [4, 3, 2, 1]),
        (Search(text="shorter"), [3, 1]),
        (Search(text="answers", author="CAR"), [3, 1]),
        (Search(text="%"), [2]),
        (Search(text="_"), [4]),
        (Search(text="\\"), []),
        (Search(author="o'hara; --"), [4]),
        (Search(tag="good"), [2]),
        (Search(tag="elsewhere"), []),
        (Search(tag="goo"), []),
        (Search(since=NOON + HOUR), [4, 3, 2]),
        (Search(until=NOON + HOUR), [1]),
        (Search(since=NOON + HOUR, until=NOON + 3 * HOUR), [3, 2]),
        (Search(author="carol", since=NOON + HOUR), [3]),
    ],
)
async def test_a_search_brings_what_fits_in_everything_newest_first(
    filled: Store, search: Search, numbers: list[int]
) -> None:
    async with filled.read() as tx:
        found = await tx.versions.history(PROD, search=search)

    assert [version.number for version in found] == numbers


async def test_what_was_found_comes_in_pages_like_all_of_it(filled: Store) -> None:
    search = Search(author="carol")
    async with filled.read() as tx:
        (first,) = await tx.versions.history(PROD, limit=1, search=search)
        (second,) = await tx.versions.history(PROD, limit=1, before=first.number, search=search)
        rest = await tx.versions.history(PROD, limit=1, before=second.number, search=search)

    assert (first.number, second.number, rest) == (3, 1, [])
