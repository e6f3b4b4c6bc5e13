"""Two real processes on one database: nothing is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter

from store.audit import verify
from store.session import SqlStore
from tests.contract.store.another_process import ROUNDS
from tests.contract.store.processes import at_once
from tests.contract.store.things import an_item, an_open_case, outgoing

ITEMS = 40


async def test_no_save_of_two_processes_is_lost(store: SqlStore, database_url: str) -> None:
    before = await an_open_case(store)

    await at_once("save", database_url, "a", "b")

    async with store.read() as tx:
        after = await tx.cases.get(before.id)
    assert Counter(after.card_ts) == {"a": ROUNDS, "b": ROUNDS}
    assert after.revision == before.revision + 2 * ROUNDS
    found = await verify(store)
    assert (found.ok, found.entries) == (True, 2 * ROUNDS + 1)


async def test_every_click_has_one_effect_whichever_process_takes_it(
    store: SqlStore, database_url: str
) -> None:
    async with store.write() as tx:
        for n in range(ITEMS):
            await tx.inbox.put(an_item(f"click-{n}", payload={"n": n}))

    judged = await at_once("judge", database_url, "a", "b")

    assert sorted(int(n) for some in judged for n in some) == list(range(ITEMS))
    async with store.read() as tx:
        assert await tx.outbox.waiting() == ITEMS


async def test_every_message_is_sent_once_and_in_its_order(
    store: SqlStore, database_url: str
) -> None:
    async with store.write() as tx:
        for n in range(ITEMS):
            await tx.outbox.put(outgoing(f"{n % 4}/{n:03}", f"case/{n % 4}"))

    sent = await at_once("send", database_url, "a", "b")

    assert sorted(d for some in sent for d in some) == sorted(
        f"{n % 4}/{n:03}" for n in range(ITEMS)
    )
    for some in sent:
        for key in range(4):
            of_key = [d for d in some if d.startswith(f"{key}/")]
            assert of_key == sorted(of_key)


async def test_processes_and_this_one_make_one_chain(store: SqlStore, database_url: str) -> None:
    await an_open_case(store)
    writing = asyncio.create_task(at_once("save", database_url, "a", "b"))
    found = [await verify(store)]
    while not writing.done():
        await asyncio.wait({writing}, timeout=0.05)
        found.append(await verify(store))

    await writing

    assert all(f.ok for f in found)
