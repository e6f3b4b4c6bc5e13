"""A replica as the service runs it: takes clicks in, judges and executes by its workers' loops.

Reads one JSON object a line: the apps that there are from now on, or a click. A click is answered
with one line, whether it was stored. A worker that loses the database says so, and again when it
has it back. What the database does to it is no matter of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from datetime import timedelta
from typing import Any

from bot import jobs
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.app import AT_ONCE, FEEDS
from bot.domain.approval import MOVES
from bot.services.decide import Decide
from bot.services.execute import Execute
from bot.services.places import Places
from store.records import AppEnv, InboxKind, NewInboxItem, Unavailable
from store.session import SqlStore, open_store
from tests.builders import KEYS, SEALING, TEAM
from tests.fakes.people import FakeDirectory
from tests.proofs.arena import POLICY
from tests.proofs.executor import EMAIL, PASSWORD

LEASE = timedelta(seconds=2)  # what is left in the middle waits no longer than this
LINE = 2**20  # bytes


class Replica:
    """One process, with its loops."""

    def __init__(self, name: str, store: SqlStore, target: DifyTarget) -> None:
        self._name = name
        self._store = store
        self._target = target
        self._places: dict[AppEnv, tuple[DifyTarget, str]] = {}
        self._workers = jobs.Workers()
        self._directory = FakeDirectory()
        self._taking: set[asyncio.Task[None]] = set()
        self._executor = self._an_executor()
        self._lost: set[str] = set()  # the workers that have lost the database
        for name, step in {"decide": self._judge(), "execute": self._execute}.items():
            self._workers.add(name, self._told(name, step), at_once=AT_ONCE.get(name, 1))

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Do what there is to do until the input ends."""
        self._workers.start()
        while line := await reader.readline():
            self._hear(json.loads(line))
        await asyncio.gather(*self._taking)
        await self._workers.stop()

    def _hear(self, told: dict[str, Any]) -> None:
        if "apps" in told:
            for app, app_id in told["apps"].items():
                self._places[AppEnv(app, "prod")] = (self._target, app_id)
            self._executor = self._an_executor()
        else:
            task = asyncio.create_task(self._take(told))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _take(self, click: dict[str, Any]) -> None:
        kind, action = InboxKind.CLICK, "approve"
        item = NewInboxItem(click["digest"], kind, action, click["who"], TEAM, click["payload"])
        try:
            async with self._store.write() as tx:
                await tx.inbox.put(item)
        except Unavailable:  # the door says 503
            stored = False
        else:
            stored = True
            self._workers.nudge("decide")
        print(json.dumps({"digest": click["digest"], "stored": stored}), flush=True)

    def _told(self, name: str, step: jobs.Step) -> jobs.Step:
        """Say when the worker *name* loses the database, and when it has it back."""

        async def told() -> bool:
            try:
                found = await step()
            except Unavailable:
                self._say_lost(name, lost=True)
                raise
            self._say_lost(name, lost=False)
            return found

        return told

    def _say_lost(self, name: str, *, lost: bool) -> None:
        if lost != (name in self._lost):
            self._lost ^= {name}
            print(json.dumps({"worker": name, "lost": lost}), flush=True)

    def _judge(self) -> jobs.Step:
        judge = Decide(
            self._store,
            self._directory,
            _nothing,
            rehearse=_nothing,
            refresh=_nothing,
            channels={},
            policy_of=lambda _: POLICY,
            keys=KEYS,
            owner=self._name,
            nudge=lambda: self._workers.nudge(*FEEDS["decide"]),
            jitter=random.random,
        )
        return judge.step

    async def _execute(self) -> bool:
        return await self._executor.step()

    def _an_executor(self) -> Execute:
        return Execute(
            self._store,
            Places(self._places),
            self._directory,
            owner=self._name,
            sealing=SEALING,
            pause=asyncio.sleep,
            lease=LEASE,
        )


async def _nothing(*_: object, **__: object) -> Any:
    raise AssertionError("nobody asks for this here")


async def work(name: str, database_url: str, dify_url: str) -> None:
    """Be a replica until the input ends."""
    reader = asyncio.StreamReader(limit=LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    store = await open_store(database_url, moves=MOVES)
    target = DifyTarget("dify.proof", url=dify_url, credentials=Account(EMAIL, PASSWORD))
    replica = Replica(name, store, target)
    print(json.dumps({"ready": name}), flush=True)
    try:
        await replica.serve(reader)
    finally:
        await target.close()
        await store.close()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # what goes wrong is looked for in what it leads to
    asyncio.run(work(*sys.argv[1:4]))
