"""A process beside the tests: `python -m tests.contract.store.another_process JOB URL NAME`.

It says `ready`, waits for a line, does its job and says as JSON what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from bot.domain.approval import MOVES
from store.records import Stale
from store.session import SqlStore, migrate, open_store
from tests.contract.store.things import an_entry, an_open_case, outgoing

ROUNDS = 20
LEASE = timedelta(minutes=5)
Done = list[str]


async def save(store: SqlStore, name: str) -> Done:
    """Add a stroke to the one open case, so many times, by comparing its revision."""
    stale = 0
    for _ in range(ROUNDS):
        while True:
            async with store.read() as tx:
                (seen,) = await tx.cases.open_cases()
            try:
                async with store.write() as tx:
                    after = replace(seen, card_ts=seen.card_ts + name)
                    await tx.cases.save(after, was=seen.revision)
                    await tx.audit.append(an_entry("stroke", user_id=name))
            except Stale:
                stale += 1
            else:
                break
    return [name] * stale


async def judge(store: SqlStore, name: str) -> Done:
    """Take clicks until there are none; each has one effect, in the transaction of its end."""
    judged: Done = []
    while True:
        async with store.write() as tx:
            item = await tx.inbox.claim(name, lease=LEASE)
        if item is None:
            return judged
        async with store.write() as tx:
            await tx.outbox.put(outgoing(f"effect/{item.payload['n']}/{name}", f"case/{item.id}"))
            await tx.inbox.finish(item.id, owner=name, outcome="counted")
        judged.append(str(item.payload["n"]))


async def send(store: SqlStore, name: str) -> Done:
    """Send until nothing waits: rows of one order key strictly one after the other."""
    sent: Done = []
    while True:
        async with store.write() as tx:
            row = await tx.outbox.claim(name, lease=LEASE)
        if row is not None:
            async with store.write() as tx:
                await tx.outbox.sent(row.id, owner=name, reference=str(len(sent)))
            sent.append(row.dedupe_id)
            continue
        async with store.read() as tx:
            if not await tx.outbox.waiting():
                return sent


async def write(store: SqlStore, name: str) -> Done:
    """Open a case and write on it, with an audit entry each time, until somebody ends this."""
    case = await an_open_case(store)
    while True:
        async with store.write() as tx:
            case = await tx.cases.save(replace(case, card_ts=name), was=case.revision)
            await tx.audit.append(an_entry("stroke", user_id=name))


JOBS: dict[str, Callable[[SqlStore, str], Awaitable[Done]]] = {
    "save": save,
    "judge": judge,
    "send": send,
    "write": write,
}


async def with_store(job: str, url: str, name: str) -> Done:
    store = await open_store(url, moves=MOVES, durable=False, lock_timeout_s=30)
    try:
        return await JOBS[job](store, name)
    finally:
        await store.close()


def main() -> None:
    _, job, url, name = sys.argv
    print("ready", flush=True)
    sys.stdin.readline()
    if job == "migrate":
        migrate(url)
        print(json.dumps([]))
    else:
        print(json.dumps(asyncio.run(with_store(job, url, name))))


if __name__ == "__main__":
    main()
