"""One of two processes that take clicks in, judge them and execute, on one database.

Reads one JSON object a line, does that round, answers with one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import uvloop

from bot.domain.approval import MOVES
from bot.ports.target import TargetVersion
from bot.services.decide import Decide
from bot.services.execute import Execute
from bot.services.places import Places
from store.records import AppEnv, InboxKind, NewInboxItem, Rollback, Version
from store.session import SqlStore, open_store
from tests.builders import KEYS, NOON, REVIEWERS, SEALING, TEAM
from tests.fakes.people import FakeDirectory
from tests.fakes.target import Content, FakeTarget
from tests.unit.services.scene import POLICY, a_document

CROWD = tuple(f"U0REVIEWER{n}" for n in range(8))
LOOPS = 2  # how many workers judge at once in this process
APP_ID = "app"


@dataclass
class Worker:
    """This process: its name, its store, and the people that Slack knows."""

    name: str
    store: SqlStore
    directory: FakeDirectory

    async def round(self, told: dict[str, Any]) -> dict[str, Any]:
        """Store this process's share of the clicks, judge until nothing waits, then execute."""
        where = AppEnv(told["app"], told["env"])
        taken, published = await asyncio.gather(
            self._take_and_judge(told["clicks"]), self._execute(where)
        )
        published += await self._execute(where)
        return {"taken": taken, "published": published}

    async def _take_and_judge(self, clicks: list[dict[str, Any]]) -> int:
        taken = sum(await asyncio.gather(*(self._put(click) for click in clicks)))
        await asyncio.gather(*(self._judge(n) for n in range(LOOPS)))
        return taken

    async def _put(self, click: dict[str, Any]) -> bool:
        item = NewInboxItem(
            digest=click["digest"],
            kind=InboxKind(click["kind"]),
            action=click["action"],
            slack_id=click["who"],
            team_id=TEAM,
            payload=click["payload"],
        )
        async with self.store.write() as tx:
            return await tx.inbox.put(item)

    async def _judge(self, loop: int) -> None:
        worker = Decide(
            self.store,
            self.directory,
            _asks_nothing,
            refresh=_reads_nothing,
            channels={},
            policy_of=lambda _: POLICY,
            keys=KEYS,
            owner=f"{self.name}-{loop}",
            nudge=lambda: None,
            jitter=lambda: -1.0,
        )
        while await worker.step():
            pass

    async def _execute(self, where: AppEnv) -> int:
        """Execute whatever is approved; return how often this process has published."""
        target = a_target(where)
        worker = Execute(
            self.store,
            Places({where: (target, APP_ID)}),
            self.directory,
            owner=self.name,
            sealing=SEALING,
            pause=_at_once,
        )
        while await worker.step():
            pass
        return target.calls.count("publish")


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


async def _reads_nothing(where: AppEnv) -> list[Version]:
    raise AssertionError(f"nobody asked for a snapshot of {where}")


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
    """Serve rounds until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    store = await open_store(database_url, moves=MOVES)
    worker = Worker(name, store, a_crowd())
    print(json.dumps({"ready": name}), flush=True)
    while line := await reader.readline():
        print(json.dumps(await worker.round(json.loads(line))), flush=True)
    await store.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(sys.argv[1], sys.argv[2]))
