"""A replica that does all that goes by the clock, whatever its own clock says.

Reads one JSON object a line, a shift; works until the next line says that it is over, and answers
with one line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bot.domain.approval import MOVES
from bot.services.follow_up import FollowUp
from store.records import AppEnv, Unavailable
from store.session import open_store
from tests.fakes.target import FakeTarget
from tests.proofs.race_worker import ENV, LINE, Click, Worker, a_crowd, a_target, until_idle

LOOK_S = 0.1
A_WRITE_S = 0.3  # how long a write to the target takes: others look at its lease meanwhile
TICK = timedelta(seconds=3)
TICK_LEASE = timedelta(milliseconds=400)
LEFT = 5  # one tick in so many is left by its owner, as by one that died
Shift = Mapping[str, Any]


class Replica(Worker):
    """This process: takes clicks in when they come, and looks again and again for the rest."""

    async def work(self, shift: Shift, over: Awaitable[object]) -> dict[str, int]:
        """Work until the shift is *over*; return how much of each this one did."""
        where = [AppEnv(app, ENV) for app in shift["apps"]]
        executor = self.executor({one: a_slow_target(one) for one in where})
        follow_up = FollowUp(self.store)
        done = {"expired": 0, "reminded": 0, "ticks": 0}

        async def follow() -> None:
            done["expired"] += await follow_up.expire_overdue()
            done["reminded"] += await follow_up.remind()

        async def tick() -> None:
            done["ticks"] += await self._tick(shift["job"])

        async with asyncio.TaskGroup() as beside:
            for n, press in enumerate(shift["presses"]):
                beside.create_task(self._press(n, press["at"], press["click"]))
            looks = (lambda: until_idle(executor.step), follow, tick)
            looking = [beside.create_task(_again(look)) for look in looks]
            await over
            for task in looking:
                task.cancel()
        return done

    async def _press(self, number: int, at: float, click: Click) -> None:
        await asyncio.sleep(at - time.monotonic())
        await self.put(click)
        await self.judge(number)

    async def _tick(self, job: str) -> bool:
        async with self.store.write() as tx:
            slot = await tx.slots.claim(job, period=TICK, owner=self.name, lease=TICK_LEASE)
        if slot is not None and slot.slot % LEFT:
            async with self.store.write() as tx:
                await tx.slots.finish(slot)
        return slot is not None


def a_slow_target(where: AppEnv) -> FakeTarget:
    target = a_target(where)
    target.before("stage", lambda: asyncio.sleep(A_WRITE_S))
    return target


async def _again(look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again, oftener than the service does."""
    while True:
        with suppress(Unavailable):
            await look()
        await asyncio.sleep(LOOK_S)


async def work(name: str, database_url: str) -> None:
    """Serve shifts until the input ends."""
    reader = asyncio.StreamReader(limit=LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    store = await open_store(database_url, moves=MOVES, durable=False)
    replica = Replica(name, store, a_crowd())
    print(json.dumps({"ready": name}), flush=True)
    while line := await reader.readline():
        print(json.dumps(await replica.work(json.loads(line), reader.readline())), flush=True)
    await store.close()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(work(sys.argv[1], sys.argv[2]))
