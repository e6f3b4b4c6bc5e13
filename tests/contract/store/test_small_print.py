"""Small print of versions, alerts and cases that is easily lost."""

from __future__ import annotations

import pytest

from store.records import Corrupt, Stale, Unstorable
from store.session import SqlStore
from tests.builders import CHANNEL, PROD, a_firing
from tests.contract.store import behind
from tests.contract.store.things import (
    a_delivery,
    a_document,
    an_entry,
    an_open_case,
    new_draft,
    new_version,
    recorded,
    resolved,
    taken,
)


async def test_a_number_that_is_taken_is_refused(store: SqlStore) -> None:
    await recorded(store, new_version("one", number=7), a_document("one"))

    with pytest.raises(Stale):
        await recorded(store, new_version("two", number=7), a_document("two"))

    async with store.read() as tx:
        assert [v.external_id for v in await tx.versions.history(PROD)] == ["one"]


async def test_layout_changes_the_root_and_not_the_meaning(store: SqlStore) -> None:
    first = await recorded(store, new_version("live-1"), a_document(x=0))
    second = await recorded(store, new_version("live-2"), a_document(x=400))

    assert first.root != second.root
    assert first.meaning == second.meaning


async def test_a_draft_with_the_content_of_a_version_is_a_row_of_its_own(store: SqlStore) -> None:
    published = await recorded(store, new_version(), a_document())
    draft = await recorded(store, new_draft(), a_document())

    assert draft.id != published.id
    async with store.read() as tx:
        assert await tx.versions.history(PROD) == [published]
        assert await tx.versions.newest(PROD) == published
        assert await tx.versions.import_mark(PROD) == 1


@pytest.mark.parametrize("how", behind.DAMAGES)
async def test_a_document_whose_parts_are_damaged_is_corrupt(
    store: SqlStore, database_url: str, how: str
) -> None:
    version = await recorded(store, new_version(), a_document())
    await behind.damage_parts(database_url, how)

    async with store.read() as tx:
        with pytest.raises(Corrupt):
            await tx.versions.document(version.id)


async def test_seeing_one_firing_leaves_the_others_to_be_seen(store: SqlStore) -> None:
    both = (a_firing(fingerprint=f) for f in ("first", "second"))
    first, second = await taken(store, a_delivery(*both))
    case = await an_open_case(store)
    async with store.write() as tx:
        await tx.alerts.assign([first.id, second.id], case.id)
    ends = (resolved(a_firing(fingerprint=f)) for f in ("first", "second"))
    await taken(store, a_delivery(*ends, digest="ends"))

    async with store.write() as tx:
        await tx.alerts.seen([first.id])

    async with store.read() as tx:
        assert [f.id for f in await tx.alerts.changed()] == [second.id]


async def test_nothing_to_assign_and_nothing_seen_is_no_mistake(store: SqlStore) -> None:
    case = await an_open_case(store)
    async with store.write() as tx:
        await tx.alerts.assign([], case.id)
        await tx.alerts.seen([])


async def test_the_same_firing_in_another_delivery_is_one_firing(store: SqlStore) -> None:
    await taken(store, a_delivery(digest="d1"))

    assert await taken(store, a_delivery(digest="d2", receiver="another route")) == ()


async def test_a_case_that_could_not_be_recorded_is_not_opened(store: SqlStore) -> None:
    """Its audit entry cannot be kept, so neither can the case."""

    async def attempt() -> None:
        async with store.write() as tx:
            entry = an_entry(what={"not": object()})
            await tx.cases.open_for(PROD, channel=CHANNEL, entry=entry)

    with pytest.raises(Unstorable):
        await attempt()

    async with store.read() as tx:
        assert await tx.cases.open_cases() == []
