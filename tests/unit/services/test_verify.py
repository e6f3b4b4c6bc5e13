"""Every stored version is read back, and a damaged one holds up no other."""

from __future__ import annotations

from bot.services.verify import BATCH, verified
from store.records import AppEnv
from store.session import SqlStore
from tests.builders import PROD
from tests.contract.store import raw
from tests.contract.store.things import OTHER, a_document, new_draft, new_version, recorded


async def names(store: SqlStore, where: AppEnv | None = None) -> list[tuple[int | None, bool]]:
    return [(one.version.number, not one.damage) async for one in verified(store, where)]


async def test_versions_and_drafts_of_all_apps_or_of_one_are_read(sqlite_store: SqlStore) -> None:
    await recorded(sqlite_store, new_version("a"), a_document("kind"))
    await recorded(sqlite_store, new_version("b", where=OTHER), a_document("rude"))
    await recorded(sqlite_store, new_draft(), a_document("rhyme"))

    assert await names(sqlite_store) == [(1, True), (1, True), (None, True)]
    assert await names(sqlite_store, OTHER) == [(1, True)]
    assert await names(sqlite_store, AppEnv("none", "prod")) == []


async def test_a_damaged_one_is_named_and_the_rest_is_read(
    sqlite_store: SqlStore, sqlite_url: str
) -> None:
    versions = [
        await recorded(sqlite_store, new_version(f"v{n}"), a_document(f"answer {n}"))
        for n in range(BATCH + 2)
    ]
    root = versions[7].root
    await raw.run(sqlite_url, "UPDATE manifest SET mode = 'chat' WHERE root = :root", root=root)

    found = [one async for one in verified(sqlite_store, PROD)]

    assert len(found) == BATCH + 2
    assert [one.version.number for one in found if one.damage] == [8]
    assert root in found[7].damage
