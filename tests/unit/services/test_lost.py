"""What each version between the candidate and live changed, from the store."""

from __future__ import annotations

from datetime import timedelta

from bot.domain import lost
from bot.domain.diff import summary
from bot.services.drawing import Differences
from store.records import NewVersion, Version, VersionKind, VersionSource
from store.session import SqlStore
from tests.builders import NOON, PROD
from tests.unit.services.scene import a_document

PROMPTS = ("good", "better", "better", "bad", "worse")


async def a_history(store: SqlStore) -> list[Version]:
    versions = []
    for n, prompt in enumerate(PROMPTS, start=1):
        new = NewVersion(
            where=PROD,
            kind=VersionKind.PUBLISHED,
            source=VersionSource.PUBLISHED,
            external_id=f"v{n}",
            external_hash=f"h{n}",
            published_at=NOON + timedelta(minutes=n),
            author=f"author{n}",
        )
        async with store.write() as tx:
            versions.append(await tx.versions.record(new, a_document(f"{prompt} answers")))
    return versions


async def test_every_later_change_is_told_and_what_means_the_same_is_not(
    sqlite_store: SqlStore,
) -> None:
    versions = await a_history(sqlite_store)
    differences = Differences()

    later = await differences.later(sqlite_store, versions[0], versions[4])
    again = await differences.later(sqlite_store, versions[0], versions[4])

    assert [(one.version.number, summary.said(one.phrases)) for one in later] == [
        (5, "1 prompt reworded"),
        (4, "1 prompt reworded"),
        (2, "1 prompt reworded"),
    ]
    assert again == later
    assert lost.words(lost.lost(later, suspect_id=versions[4].id)) == (
        "version 4 by author4: 1 prompt reworded; version 2 by author2: 1 prompt reworded"
    )


async def test_between_neighbours_there_is_the_one_change(sqlite_store: SqlStore) -> None:
    versions = await a_history(sqlite_store)

    later = await Differences().later(sqlite_store, versions[3], versions[4])

    assert [one.version.number for one in later] == [5]
    assert lost.words(lost.lost(later, suspect_id=versions[4].id)) == ""


async def test_going_forward_loses_nothing(sqlite_store: SqlStore) -> None:
    versions = await a_history(sqlite_store)

    assert await Differences().later(sqlite_store, versions[4], versions[0]) == []
    assert await Differences().later(sqlite_store, versions[2], versions[2]) == []
