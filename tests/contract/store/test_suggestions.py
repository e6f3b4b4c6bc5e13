"""What the store promises of paused suggestions and of the audit entries about one app."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from bot.ports.store import Store
from store.records import AppEnv, SuggestionsPaused
from tests.builders import ALICE, BOB, PROD
from tests.unit.services.scene import ENTRY, a_pending

STAGING = AppEnv(PROD.app, "staging")


async def pause(store: Store, where: AppEnv, minutes: int, who: str = ALICE) -> None:
    async with store.write() as tx:
        until = await tx.now() + timedelta(minutes=minutes)
        await tx.suggestions.pause(where, until, slack_id=who, reason="why", entry=ENTRY)


async def paused(store: Store, where: AppEnv = PROD) -> SuggestionsPaused | None:
    async with store.read() as tx:
        return await tx.suggestions.paused(where)


async def test_a_pause_holds_for_its_app_alone_and_comes_with_its_entry(store: Store) -> None:
    assert await paused(store) is None

    await pause(store, PROD, 30)

    found = await paused(store)
    assert found is not None
    assert (found.slack_id, found.reason) == (ALICE, "why")
    assert await paused(store, STAGING) is None
    async with store.read() as tx:
        assert len(await tx.audit.entries()) == 1


async def test_the_newest_word_holds(store: Store) -> None:
    await pause(store, PROD, 30)
    await pause(store, PROD, 60, BOB)
    after = await paused(store)
    async with store.write() as tx:
        await tx.suggestions.resume(PROD, entry=ENTRY)

    assert after is not None
    assert after.slack_id == BOB
    assert await paused(store) is None
    async with store.read() as tx:
        assert len(await tx.audit.entries()) == 3


async def test_a_pause_is_over_when_its_time_is(store: Store) -> None:
    await pause(store, PROD, -1)

    assert await paused(store) is None


async def test_what_is_not_committed_pauses_nothing(store: Store) -> None:
    with suppress(RuntimeError):
        async with store.write() as tx:
            until = await tx.now() + timedelta(hours=1)
            await tx.suggestions.pause(PROD, until, slack_id=ALICE, reason="", entry=ENTRY)
            raise RuntimeError

    assert await paused(store) is None


async def test_the_entries_about_an_app_are_those_of_its_rollbacks_cases_and_itself(
    store: Store,
) -> None:
    here = await a_pending(store)
    there = await a_pending(store, where=STAGING)
    async with store.write() as tx:
        for number, resource in enumerate(
            (
                *(f"rollback/{here.id}", f"rollback/{there.id}", f"app/{PROD}"),
                *(f"case/{here.case_id}", f"case/{there.case_id}", f"app/{STAGING}", "inbox/1"),
            )
        ):
            await tx.audit.append(replace(ENTRY, action=f"test.{number}", resource=resource))

    async with store.read() as tx:
        count = await tx.audit.count_about(PROD)
        newest = await tx.audit.about(PROD, limit=2)
        rest = await tx.audit.about(PROD, limit=10, skip=2)

    assert [entry.action for entry in newest] == ["test.3", "test.2"]
    assert [entry.action for entry in rest if "." in entry.action] == ["test.0"]
    assert count == len(newest) + len(rest)


async def test_an_entry_that_was_changed_does_not_fit_its_hash(store: Store) -> None:
    async with store.write() as tx:
        await tx.audit.append(replace(ENTRY, resource=f"app/{PROD}"))

    async with store.read() as tx:
        (entry,) = await tx.audit.about(PROD, limit=1)
        assert tx.audit.flaw(entry) == ""
        assert "was changed" in tx.audit.flaw(replace(entry, status="refused"))
