"""What the store promises of seals, on both databases: there until the end, and not after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from store.records import Rollback, Stale, State
from store.session import SqlStore
from tests.builders import PROD
from tests.contract.store.test_versions import STAGING
from tests.contract.store.things import (
    an_executing_rollback,
    an_open_rollback,
    moved,
)

WAYS = [
    (State.FAILED,),
    (State.SUPERSEDED,),
    (State.NEEDS_ATTENTION,),
    (State.VERIFYING, State.COMPLETED),
    (State.VERIFYING, State.NEEDS_ATTENTION),
]


async def sealed(store: SqlStore, rollback: Rollback) -> bytes | None:
    async with store.read() as tx:
        return await tx.seals.get(rollback.id)


async def put(store: SqlStore, rollback: Rollback, what: bytes) -> None:
    async with store.write() as tx:
        await tx.seals.put(rollback.id, what)


async def actions(store: SqlStore) -> list[str]:
    async with store.read() as tx:
        return [entry.action for entry in await tx.audit.entries()]


async def test_each_rollback_has_one_seal_and_the_newest_counts(store: SqlStore) -> None:
    here, there = await an_open_rollback(store, PROD), await an_open_rollback(store, STAGING)
    await put(store, here, b"first")
    await put(store, here, b"\x00second")
    await put(store, there, b"other")

    assert await sealed(store, here) == b"\x00second"
    assert await sealed(store, there) == b"other"


async def test_what_is_erased_was_there_once(store: SqlStore) -> None:
    here, there = await an_open_rollback(store, PROD), await an_open_rollback(store, STAGING)
    await put(store, here, b"one")
    await put(store, there, b"other")

    async with store.write() as tx:
        erased = [await tx.seals.erase(here.id) for _ in range(2)]

    assert erased == [True, False]
    assert await sealed(store, here) is None
    assert await sealed(store, there) == b"other"


@pytest.mark.parametrize("way", WAYS)
async def test_every_end_erases_the_seal_and_says_so_in_the_audit_chain(
    store: SqlStore, way: tuple[State, ...]
) -> None:
    rollback = await an_executing_rollback(store)
    await put(store, rollback, b"sealed")
    execution = replace(rollback.execution, sealed=("API_KEY",))

    ended = await moved(store, rollback, *way, execution=execution)

    assert await sealed(store, ended) is None
    async with store.read() as tx:
        last, erased = (await tx.audit.entries())[-2:]
    assert (last.action, erased.action) == (f"rollback.{way[-1]}", "draft.unseal")
    assert erased.resource == last.resource
    assert erased.what == {"app": str(PROD), "not_returned": ["API_KEY"]}


async def test_an_end_that_is_not_stored_erases_nothing(store: SqlStore) -> None:
    rollback = await an_executing_rollback(store)
    await put(store, rollback, b"sealed")

    with pytest.raises(Stale):
        await moved(store, replace(rollback, revision=rollback.revision - 1), State.FAILED)

    assert await sealed(store, rollback) == b"sealed"
    assert "draft.unseal" not in await actions(store)


async def test_a_step_that_is_no_end_keeps_the_seal(store: SqlStore) -> None:
    rollback = await an_executing_rollback(store)
    await put(store, rollback, b"sealed")

    going = await moved(store, rollback, State.VERIFYING)

    assert await sealed(store, going) == b"sealed"


async def test_where_nothing_was_sealed_the_chain_says_nothing_of_it(store: SqlStore) -> None:
    await moved(store, await an_executing_rollback(store), State.FAILED)

    assert "draft.unseal" not in await actions(store)
