"""What the store promises of versions, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from bot.ports.store import Store
from store.document import Document
from store.records import AppEnv, Corrupt, Missing, NewVersion, Version, VersionKind, VersionSource
from tests.builders import NOON, PROD
from tests.contract.store import raw
from tests.unit.services.scene import ENTRY, a_document

STAGING = AppEnv("support-triage", "staging")
ODD = {"html": "<b>", "dash": "–", "big": 2**53 + 1, "tiny": 1e-7, "minus": -0.0, "none": None}


def a_new(external_id: str = "live-1", **changes: Any) -> NewVersion:
    facts: dict[str, Any] = {
        "where": PROD,
        "kind": VersionKind.PUBLISHED,
        "source": VersionSource.PUBLISHED,
        "external_id": external_id,
        "external_hash": f"hash of {external_id}",
        "published_at": NOON,
    }
    return NewVersion(**{**facts, **changes})


def a_draft(**changes: Any) -> NewVersion:
    return a_new("", kind=VersionKind.DRAFT, source=VersionSource.IMPORTED, **changes)


async def recorded(store: Store, new: NewVersion, document: Document | None = None) -> Version:
    async with store.write() as tx:
        return await tx.versions.record(new, document or a_document())


async def test_a_version_comes_back_as_it_was_recorded(store: Store) -> None:
    new = a_new(external_name="spring", external_comment="kinder", author="carol", number=7)

    version = await recorded(store, new)

    async with store.read() as tx:
        assert await tx.versions.get(version.id) == version
        assert await tx.versions.by_external(PROD, "live-1") == version
        assert await tx.versions.numbered(PROD, 7) == version
        assert await tx.versions.newest(PROD) == version
    assert (version.external_name, version.external_comment) == ("spring", "kinder")
    assert (version.author, version.number, version.published_at) == ("carol", 7, NOON)
    assert (version.root, version.meaning) == (a_document().root, a_document().meaning)


async def test_a_document_comes_back_without_loss(store: Store) -> None:
    document = Document("advanced-chat", {**a_document().content, "odd": ODD, "many": [[], {}, ""]})

    version = await recorded(store, a_new(), document)

    async with store.read() as tx:
        found = await tx.versions.document(version.id)
    assert found == document
    assert repr(found.content["odd"]) == repr({name: ODD[name] for name in found.content["odd"]})


async def test_an_unchanged_version_writes_nothing(store: Store, database_url: str) -> None:
    count = "SELECT (SELECT count(*) FROM version), (SELECT count(*) FROM part)"
    first = await recorded(store, a_new())
    before = await raw.run(database_url, count)

    again = await recorded(store, a_new(author="somebody else"))

    assert again == first
    assert await raw.run(database_url, count) == before


async def test_two_versions_with_one_content_share_its_parts(
    store: Store, database_url: str
) -> None:
    first = await recorded(store, a_new("live-1"))
    parts = await raw.run(database_url, "SELECT count(*) FROM part")

    second = await recorded(store, a_new("live-2"))

    assert second.id != first.id
    assert second.root == first.root
    assert await raw.run(database_url, "SELECT count(*) FROM part") == parts
    assert await raw.run(database_url, "SELECT count(*) FROM manifest") == [(1,)]


async def test_a_changed_prompt_adds_only_the_parts_that_changed(
    store: Store, database_url: str
) -> None:
    await recorded(store, a_new("live-1"))
    before = await raw.run(database_url, "SELECT count(*) FROM part")

    await recorded(store, a_new("live-2"), a_document("Answer shortly."))

    after = await raw.run(database_url, "SELECT count(*) FROM part")
    assert 0 < after[0][0] - before[0][0] < before[0][0]


async def test_a_document_of_more_parts_than_one_statement_names_comes_back(store: Store) -> None:
    nodes = [{"id": f"n{n}", "data": {"type": "code", "code": f"return {n}"}} for n in range(1200)]
    document = Document("workflow", {"graph": {"nodes": nodes, "edges": []}})

    version = await recorded(store, a_new(), document)

    async with store.read() as tx:
        assert await tx.versions.document(version.id) == document


async def test_versions_are_numbered_from_one_for_each_app_and_environment(store: Store) -> None:
    numbers = [(await recorded(store, a_new(f"live-{n}"))).number for n in range(3)]
    elsewhere = await recorded(store, a_new("live-0", where=STAGING))

    assert numbers == [1, 2, 3]
    assert elsewhere.number == 1


async def test_the_next_number_follows_the_highest_one(store: Store) -> None:
    await recorded(store, a_new("live-9", number=9))
    await recorded(store, a_new("live-4", number=4))

    assert (await recorded(store, a_new("live-10"))).number == 10


async def test_history_goes_down_page_by_page(store: Store) -> None:
    for n in range(1, 8):
        await recorded(store, a_new(f"live-{n}"))
    await recorded(store, a_draft())
    await recorded(store, a_new("live-1", where=STAGING))

    async with store.read() as tx:
        first = await tx.versions.history(PROD, limit=3)
        second = await tx.versions.history(PROD, limit=3, before=first[-1].number)
        last = await tx.versions.history(PROD, limit=3, before=second[-1].number)
        none = await tx.versions.history(PROD, before=1)

    assert [[v.number for v in page] for page in (first, second, last, none)] == [
        [7, 6, 5],
        [4, 3, 2],
        [1],
        [],
    ]


async def test_the_same_draft_is_one_row_and_has_no_number(store: Store) -> None:
    first = await recorded(store, a_draft())
    again = await recorded(store, a_draft(external_hash="another token"))
    other = await recorded(store, a_draft(), a_document("Another draft."))

    assert first.number is None
    assert again == first
    assert other.id != first.id


async def test_a_draft_is_never_taken_for_a_published_version(store: Store) -> None:
    draft = await recorded(store, a_draft(external_hash="token"))

    async with store.read() as tx:
        assert await tx.versions.newest(PROD) is None
        assert await tx.versions.by_external(PROD, draft.external_id) is None
        assert await tx.versions.newest_target_ids() == {}
        assert await tx.versions.import_mark(PROD) is None


async def test_the_newest_external_id_of_every_app_is_that_of_the_highest_number(
    store: Store,
) -> None:
    await recorded(store, a_new("new", number=5))
    await recorded(store, a_new("old", number=4))
    await recorded(store, a_new("other", where=STAGING))

    async with store.read() as tx:
        assert await tx.versions.newest_target_ids() == {PROD: "new", STAGING: "other"}


async def test_the_import_mark_is_the_lowest_number(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.versions.import_mark(PROD) is None
    await recorded(store, a_new("new", number=5))
    await recorded(store, a_new("old", number=4))

    async with store.read() as tx:
        assert await tx.versions.import_mark(PROD) == 4


async def test_what_was_published_since_a_version_is_all_after_it_up_to_a_newer_one(
    store: Store,
) -> None:
    prompts = ("First.", "Second.", "Third.", "Second.", "Fifth.")
    documents = [a_document(prompt) for prompt in prompts]
    versions = [await recorded(store, a_new(d.root + str(n)), d) for n, d in enumerate(documents)]
    await recorded(store, a_draft(), a_document("A draft."))
    await recorded(store, a_new("other", where=STAGING, number=3), a_document("Elsewhere."))

    async with store.read() as tx:
        since = await tx.versions.meanings_since(versions[0], versions[3])
        back = await tx.versions.meanings_since(versions[3], versions[0])
        same = await tx.versions.meanings_since(versions[2], versions[2])

    assert since == {documents[1].meaning, documents[2].meaning}
    assert back == same == frozenset()


async def test_condemning_twice_is_one_row_and_one_audit_entry(store: Store) -> None:
    for rollback_id in (3, 4):
        async with store.write() as tx:
            await tx.versions.condemn(PROD, "ab" * 32, rollback_id=rollback_id, entry=ENTRY)

    async with store.read() as tx:
        assert await tx.versions.condemned(PROD) == {"ab" * 32}
        assert await tx.versions.condemned(STAGING) == frozenset()
        assert len(await tx.audit.entries()) == 1


async def test_lifting_a_judgement_is_recorded_and_where_there_is_none_nothing_happens(
    store: Store,
) -> None:
    async with store.write() as tx:
        await tx.versions.condemn(PROD, "ab" * 32, rollback_id=3, entry=ENTRY)
        await tx.versions.condemn(STAGING, "ab" * 32, rollback_id=3, entry=ENTRY)
    for _ in range(2):
        async with store.write() as tx:
            await tx.versions.lift(PROD, "ab" * 32, entry=ENTRY)

    async with store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()
        assert await tx.versions.condemned(STAGING) == {"ab" * 32}
        assert len(await tx.audit.entries()) == 3


async def test_what_is_not_there_is_missing(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(Missing):
            await tx.versions.get(404)
        with pytest.raises(Missing):
            await tx.versions.document(404)
        assert await tx.versions.numbered(PROD, 1) is None
        assert await tx.versions.by_external(PROD, "live-1") is None


@pytest.mark.parametrize("at", [0, 3, -1])
async def test_a_flipped_byte_in_a_part_is_corrupt(
    store: Store, database_url: str, at: int
) -> None:
    version = await recorded(store, a_new())
    [(part_id, data), *_] = await raw.run(database_url, "SELECT id, data FROM part ORDER BY id")
    flipped = bytearray(data)
    flipped[at] ^= 0x10
    update = "UPDATE part SET data = :data WHERE id = :id"
    await raw.run(database_url, update, data=bytes(flipped), id=part_id)

    async with store.read() as tx:
        with pytest.raises(Corrupt, match=rf"is damaged at [a-z_/]+.*: part {part_id} "):
            await tx.versions.document(version.id)


async def test_a_packed_part_with_another_content_is_corrupt(
    store: Store, database_url: str
) -> None:
    version = await recorded(store, a_new())
    swap = "UPDATE part SET data = (SELECT data FROM part WHERE id = 1) WHERE id = 2"
    await raw.run(database_url, swap)

    async with store.read() as tx:
        with pytest.raises(Corrupt, match="does not have the hash"):
            await tx.versions.document(version.id)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE manifest SET mode = 'chat'",
        "DELETE FROM part WHERE id = 1",
        "UPDATE manifest SET root = 'another root'",
    ],
)
async def test_a_document_that_is_not_what_was_stored_is_corrupt(
    store: Store, database_url: str, damage: str
) -> None:
    version = await recorded(store, a_new())
    if database_url.startswith("postgres"):  # SQLite checks foreign keys only when asked to
        await raw.run(database_url, "ALTER TABLE version DROP CONSTRAINT version_root_fkey")
    await raw.run(database_url, damage)

    async with store.read() as tx:
        with pytest.raises(Corrupt):
            await tx.versions.document(version.id)
