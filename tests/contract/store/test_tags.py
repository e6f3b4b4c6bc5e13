"""What the store promises of tags, on both databases."""

from __future__ import annotations

import pytest

from bot.ports.store import Store
from store.records import Missing
from tests.builders import PROD
from tests.contract.store.test_versions import STAGING, a_new, recorded
from tests.unit.services.scene import ENTRY, a_document


async def test_a_tag_stands_on_one_version_and_moves_with_its_entry(store: Store) -> None:
    first = await recorded(store, a_new("live-1"))
    second = await recorded(store, a_new("live-2"), a_document("Answer at length."))
    for version in (first, second):
        async with store.write() as tx:
            await tx.tags.put(version, "good", entry=ENTRY)

    async with store.read() as tx:
        (tag,) = await tx.tags.of(PROD)
        entries = await tx.audit.entries()
    assert (tag.name, tag.version_id, tag.user_id) == ("good", second.id, ENTRY.user_id)
    assert len(entries) == 2


async def test_each_app_and_environment_has_tags_of_its_own(store: Store) -> None:
    here = await recorded(store, a_new("live-1"))
    there = await recorded(store, a_new("live-1", where=STAGING))
    async with store.write() as tx:
        await tx.tags.put(here, "good", entry=ENTRY)
        await tx.tags.put(there, "good", entry=ENTRY)
        await tx.tags.put(here, "launch", entry=ENTRY)

    async with store.read() as tx:
        assert [tag.name for tag in await tx.tags.of(PROD)] == ["good", "launch"]
        found = await tx.tags.named(STAGING, "good")
        assert await tx.tags.named(STAGING, "launch") is None
    assert found is not None
    assert found.version_id == there.id


async def test_a_tag_that_was_moved_meanwhile_is_not_taken_away(store: Store) -> None:
    first = await recorded(store, a_new("live-1"))
    second = await recorded(store, a_new("live-2"), a_document("Answer at length."))
    async with store.write() as tx:
        await tx.tags.put(first, "good", entry=ENTRY)
        held = await tx.tags.hold(PROD, "good")
        assert held is not None
    async with store.write() as tx:
        await tx.tags.put(second, "good", entry=ENTRY)

    with pytest.raises(Missing):
        async with store.write() as tx:
            await tx.tags.remove(held, entry=ENTRY)
    async with store.read() as tx:
        assert [tag.version_id for tag in await tx.tags.of(PROD)] == [second.id]
        assert len(await tx.audit.entries()) == 2


async def test_a_tag_that_is_taken_away_leaves_its_version(store: Store) -> None:
    version = await recorded(store, a_new("live-1"))
    async with store.write() as tx:
        await tx.tags.put(version, "good", entry=ENTRY)
    async with store.write() as tx:
        held = await tx.tags.hold(PROD, "good")
        assert held is not None
        await tx.tags.remove(held, entry=ENTRY)

    async with store.read() as tx:
        assert await tx.tags.of(PROD) == []
        assert await tx.versions.get(version.id) == version
