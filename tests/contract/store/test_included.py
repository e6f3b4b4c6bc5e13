"""Apps without a table of their own keep their names, whatever becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from store.records import AppEnv, AuditDraft, IncludedApp, Stale
from store.session import SqlStore

ONE = IncludedApp(AppEnv("triage", "prod"), "dify.prod", "id-1", "Triage")
TWO = IncludedApp(AppEnv("客服-bot", "prod"), "dify.prod", "id-2", "客服 bot")
ENTRY = AuditDraft("keyturn", "app.included", "app/triage@prod", "ok", {"id": "id-1"})


async def save(store: SqlStore, *apps: IncludedApp) -> None:
    async with store.write() as tx:
        await tx.included.save(apps, entry=lambda _: None)


async def everything(store: SqlStore) -> list[IncludedApp]:
    async with store.read() as tx:
        return await tx.included.all()


async def test_what_was_saved_is_there_in_order_of_names(store: SqlStore) -> None:
    await save(store, TWO, ONE)

    assert await everything(store) == [ONE, TWO]


async def test_an_app_that_is_gone_and_back_keeps_its_name_though_it_is_called_otherwise(
    store: SqlStore,
) -> None:
    await save(store, ONE)
    await save(store, replace(ONE, gone=True))
    assert await everything(store) == [replace(ONE, gone=True)]

    await save(store, replace(ONE, name="Triage 2", where=AppEnv("triage-2", "prod")))

    assert await everything(store) == [replace(ONE, name="Triage 2")]


async def test_a_name_is_never_given_to_another_app(store: SqlStore) -> None:
    await save(store, replace(ONE, gone=True))

    with pytest.raises(Stale):
        await save(store, replace(TWO, where=ONE.where))


async def test_what_changed_is_in_the_audit_chain_with_the_change(store: SqlStore) -> None:
    for _ in range(2):  # the second time it is as it was
        async with store.write() as tx:
            await tx.included.save([ONE], entry=lambda _: ENTRY)

    async with store.read() as tx:
        (entry,) = await tx.audit.entries()
    assert (entry.action, entry.resource) == ("app.included", "app/triage@prod")
