"""One of the processes that take clicks in, judge them and execute, on one database.

Reads one JSON object a line, a batch of rounds; plays them, answers with one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import uvloop

from bot.domain.approval import MOVES
from bot.domain.rehearsal import Rehearsal
from bot.ports.target import TargetVersion
from bot.services.decide import Decide
from bot.services.execute import Execute
from bot.services.places import Places
from bot.services.take_over import GOING
from store.records import AppEnv, InboxKind, NewInboxItem, Rollback, Unavailable, Version
from store.session import SqlStore, open_store
from tests.builders import KEYS, NOON, REVIEWERS, SEALING, TEAM
from tests.fakes.people import FakeDirectory
from tests.fakes.target import Content, FakeTarget
from tests.unit.services.scene import POLICY, a_document

CROWD = tuple(f"U0REVIEWER{n}" for n in range(8))
LOOPS = 2  # how many workers judge at once in this process
ENV, APP_ID = "prod", "app"
LINE = 2**26  # bytes; a batch is one line
Click = dict[str, Any]
# Each process has a Dify of its own, where a take-over cannot see what was published by another;
# who takes over what, and when, is proved by `crashes` and `zombies`, on one Dify. So nobody takes
# over here, however long a crowded database or a busy machine holds an executor up.
LEASE = timedelta(hours=20)
RESUME = "resume"  # told instead of clicks: go on with what the database was too busy for


class Worker:
    """This process: its name, its store, and the people that Slack knows."""

    def __init__(self, name: str, store: SqlStore, directory: FakeDirectory) -> None:
        self.name = name
        self.store = store
        self.directory = directory
        self._look = asyncio.Event()  # something may be approved
        self._over = False  # no more clicks come
        self._targets: dict[AppEnv, FakeTarget] = {}

    async def batch(self, told: Mapping[str, list[Click]]) -> dict[str, dict[str, int]]:
        """Play this process's share of some rounds; return what it took and published of each app.

        The clicks of one round come in all at once and are judged until nothing waits. Beside
        that this process executes whatever is approved, by its own judgement or another's.
        """
        self._targets = {AppEnv(app, ENV): a_target(AppEnv(app, ENV)) for app in told}
        taken: dict[str, int] = {}
        self._over = False
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._execute(self._targets))
            for app, clicks in told.items():
                taken[app] = await self._take_and_judge(clicks)
                self._look.set()
            self._over = True
            self._look.set()
        left = [rollback.leg.where for rollback in await self._left()]
        return {
            where.app: {
                "taken": taken[where.app],
                "published": target.calls.count("publish"),
                "left": int(where in left),
            }
            for where, target in self._targets.items()
        }

    async def resume(self) -> dict[str, dict[str, int]]:
        """Take over what this process has left in the middle, because the database was busy.

        The service does so once its lease is over; here nobody else may come first, who has a
        target of its own: whoever tells us lets all others rest meanwhile.
        """
        for held in await self._left():
            epoch, over = held.execution.lease_epoch, timedelta(seconds=-1)
            async with self.store.write() as tx:
                await tx.rollbacks.renew(held.id, owner=self.name, epoch=epoch, lease=over)
        await until_idle(self.executor(self._targets).step)
        left = [rollback.leg.where for rollback in await self._left()]
        return {
            where.app: {"published": target.calls.count("publish"), "left": int(where in left)}
            for where, target in self._targets.items()
        }

    async def _left(self) -> list[Rollback]:
        """What this process executes, while it is not at it."""
        while True:
            with suppress(Unavailable):
                async with self.store.read() as tx:
                    going = await tx.rollbacks.in_states(GOING)
                return [one for one in going if one.execution.owner == self.name]

    async def _take_and_judge(self, clicks: list[Click]) -> int:
        taken = sum(await asyncio.gather(*(self.put(click) for click in clicks)))
        await asyncio.gather(*(self.judge(n) for n in range(LOOPS)))
        return taken

    async def put(self, click: Click) -> bool:
        """Take *click* in; False when it came before."""
        item = NewInboxItem(
            digest=click["digest"],
            kind=InboxKind(click["kind"]),
            action=click["action"],
            slack_id=click["who"],
            team_id=TEAM,
            payload=click["payload"],
        )
        while True:
            with suppress(Unavailable):  # it says so to Slack, and the person presses again
                async with self.store.write() as tx:
                    return await tx.inbox.put(item)

    async def judge(self, loop: int) -> None:
        """Judge, as worker *loop* of this process, until nothing waits."""
        worker = Decide(
            self.store,
            self.directory,
            _asks_nothing,
            rehearse=_rehearses_nothing,
            refresh=_reads_nothing,
            channels={},
            policy_of=lambda _: POLICY,
            keys=KEYS,
            owner=f"{self.name}-{loop}",
            nudge=self._look.set,
            jitter=lambda: -1.0,
        )
        await until_idle(worker.step)

    def executor(self, targets: Mapping[AppEnv, FakeTarget]) -> Execute:
        """What executes in this process."""
        return Execute(
            self.store,
            Places({where: (target, APP_ID) for where, target in targets.items()}),
            self.directory,
            owner=self.name,
            sealing=SEALING,
            pause=_at_once,
            lease=LEASE,
        )

    async def _execute(self, targets: Mapping[AppEnv, FakeTarget]) -> None:
        worker = self.executor(targets)
        while True:
            over = await self._looked()
            await until_idle(worker.step)
            if over:
                return

    async def _looked(self) -> bool:
        """Wait until there may be something to execute; True when nothing comes after it."""
        await self._look.wait()
        self._look.clear()
        return self._over


def a_target(where: AppEnv) -> FakeTarget:
    """A target whose live version is the one that the round's rollback was built on."""
    target = FakeTarget()
    app = target.add_app(APP_ID)
    app.draft = Content(a_document("Answer wrongly."))
    app.live_id = f"{where}-live-2"
    live = TargetVersion(
        external_id=app.live_id,
        external_hash=app.draft.token,
        name="",
        comment="",
        author="carol",
        published_at=NOON,
        document=app.draft.document,
    )
    app.history.append((live, app.draft))
    return target


async def until_idle(step: Callable[[], Awaitable[bool]]) -> None:
    """Do all there is to do; as the service does, ask a database that was busy once more."""
    busy = True
    while busy:
        with suppress(Unavailable):
            busy = await step()


async def _reads_nothing(where: AppEnv) -> list[Version]:
    raise AssertionError(f"nobody asked for a snapshot of {where}")


async def _rehearses_nothing(*_: object, **__: object) -> Rehearsal:
    raise AssertionError("nobody asks for a dry run here")


async def _asks_nothing(*_: object, **__: object) -> Rollback:
    raise AssertionError("nobody types a command here")


async def _at_once(_: int) -> None:
    return None


def a_crowd() -> FakeDirectory:
    """Eight reviewers."""
    directory = FakeDirectory()
    for who in CROWD:
        directory.add(who)
    directory.groups[REVIEWERS] = frozenset(CROWD)
    return directory


async def work(name: str, database_url: str) -> None:
    """Serve batches until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    store = await open_store(database_url, moves=MOVES, durable=False)
    worker = Worker(name, store, a_crowd())
    print(json.dumps({"ready": name}), flush=True)
    while line := await reader.readline():
        told = json.loads(line)
        answer = await (worker.resume() if RESUME in told else worker.batch(told))
        print(json.dumps(answer), flush=True)
    await store.close()


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # a click that has to wait or was taken over is no news here
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(sys.argv[1], sys.argv[2]))
