"""Documents by content: next to nothing a version, and never another document than was stored."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bot.ports.store import Store
from store.document import Document
from store.manifests import MOST_DIFFERENT
from store.records import Corrupt
from tests.benchmarks.workflows import Workflows
from tests.contract.store import behind, raw
from tests.contract.store.test_versions import a_new, recorded


def successive(count: int, nodes: int, seed: int = 5) -> list[Document]:
    """Versions of one workflow, each made of the one before by one edit or by a day's work."""
    made = Workflows(seed)
    content = made.content(nodes)
    documents = [Document("workflow", content)]
    for n in range(1, count):
        content = made.mixed(content) if n % 10 == 0 else made.one_prompt(content)
        documents.append(Document("workflow", content))
    return documents


async def test_every_version_of_a_long_history_comes_back_as_it_was(store: Store) -> None:
    documents = successive(40, nodes=12)
    versions = [await recorded(store, a_new(f"v{n}"), d) for n, d in enumerate(documents)]
    order = list(zip(versions, documents, strict=True))
    random.Random(1).shuffle(order)

    for version, document in order:
        async with store.read() as tx:
            back = await tx.versions.document(version.id)
        assert (back.root, back.content) == (document.root, document.content)


async def test_a_small_change_is_kept_as_a_difference_and_a_large_one_whole(
    store: Store, database_url: str
) -> None:
    first, second, *_ = successive(2, nodes=30)
    other = Document("workflow", Workflows(9).content(MOST_DIFFERENT))
    for n, document in enumerate((first, second, other)):
        await recorded(store, a_new(f"v{n}"), document)

    rows = await raw.run(database_url, "SELECT root, base, LENGTH(packed) FROM manifest")
    kept = {root: (base, size) for root, base, size in rows}

    assert kept[first.root][0] is None
    assert kept[second.root][0] == first.root
    assert kept[second.root][1] * 4 < kept[first.root][1]
    assert kept[other.root][0] is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE manifest SET base = 'nothing' WHERE base IS NOT NULL",
        "UPDATE manifest SET base = NULL",
        "UPDATE manifest SET packed = (SELECT packed FROM manifest WHERE base IS NULL)",
    ],
)
async def test_a_manifest_that_is_not_what_was_stored_is_corrupt(
    store: Store, database_url: str, damage: str
) -> None:
    first, second = successive(2, nodes=8)
    await recorded(store, a_new("v1"), first)
    version = await recorded(store, a_new("v2"), second)
    await raw.run(database_url, damage)

    async with store.read() as tx:
        with pytest.raises(Corrupt):
            await tx.versions.document(version.id)


@pytest.mark.parametrize("at", range(0, 400, 37))
async def test_a_flipped_bit_in_a_manifest_is_corrupt_or_without_effect(
    store: Store, database_url: str, at: int
) -> None:
    first, second = successive(2, nodes=8)
    await recorded(store, a_new("v1"), first)
    version = await recorded(store, a_new("v2"), second)
    async with behind.connected(database_url) as sql:
        for root, packed in await sql("SELECT root, packed FROM manifest"):
            flipped = bytearray(packed)
            flipped[at % len(flipped)] ^= 1 << (at % 8)
            await sql("UPDATE manifest SET packed = ? WHERE root = ?", bytes(flipped), root)

    async with store.read() as tx:
        try:
            back: Any = await tx.versions.document(version.id)
        except Corrupt:
            return
    assert back.content == second.content


@pytest.mark.parametrize("table", ["part", "manifest"])
async def test_a_size_that_only_damage_claims_is_corrupt_and_takes_no_memory(
    store: Store, database_url: str, table: str
) -> None:
    """The highest bit of the frame's header: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1"""
    first, second = successive(2, nodes=12)
    versions = [await recorded(store, a_new(f"v{n}"), d) for n, d in enumerate((first, second))]
    column, key = ("data", "id") if table == "part" else ("packed", "root")
    async with behind.connected(database_url) as sql:
        for name, data in await sql(f"SELECT {key}, {column} FROM {table}"):
            flipped = bytes([*data[:4], data[4] ^ 0x80, *data[5:]])
            await sql(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", flipped, name)

    for version in versions:
        async with store.read() as tx:
            with pytest.raises(Corrupt):
                await tx.versions.document(version.id)


async def test_what_stands_on_a_damaged_manifest_is_not_built_upon(
    store: Store, database_url: str
) -> None:
    first, second, third = successive(3, nodes=8)
    await recorded(store, a_new("v1"), first)
    await recorded(store, a_new("v2"), second)
    async with behind.connected(database_url) as sql:
        await sql("UPDATE manifest SET packed = ? WHERE base IS NULL", b"not zstd")

    version = await recorded(store, a_new("v3"), third)

    async with store.read() as tx:
        assert (await tx.versions.document(version.id)).content == third.content


async def test_what_is_stored_is_listed_once_in_the_order_of_its_rows(store: Store) -> None:
    versions = [
        await recorded(store, a_new(f"v{n}"), d) for n, d in enumerate(successive(5, nodes=12))
    ]
    found: list[int] = []
    async with store.read() as tx:
        while some := await tx.versions.stored(after=found[-1] if found else 0, limit=2):
            found += [version.id for version in some]

    assert found == [version.id for version in versions]
