"""The database has its troubles while alerts are sent to the service, which is not restarted.

A full disk for both kinds, where a small one can be had; on SQLite one write in twenty that finds
no room or does not get there; a PostgreSQL that is stopped at once. Who sends keeps a journal.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from sqlalchemy.ext.asyncio import create_async_engine

from bot.domain.approval import MOVES
from store.address import translate_url
from store.session import migrate, open_store
from tests.acceptance.process import Served
from tests.acceptance.world import LOOPBACK, a_world
from tests.arriving import file_all
from tests.plugins.databases import postgres
from tests.proofs.running import Tally
from tests.proofs.storm.seen import Stored
from tests.proofs.storm.sender import Sender
from tests.proofs.storm.witness import is_ready
from tests.proofs.trouble import FailingDisk, FullDisk, Stopped, Trouble, a_small_disk

SENDERS = 4
ROUNDS, QUICK = 10, 1  # of each trouble
WELL_S, ILL_S = (0.5, 2.0), (1.0, 5.0)
RECOVERED_S, BUSY_S = 10.0, 40.0  # the second where others use the machine
READY_S = 180.0  # others use the machine
LOOK_S = 0.05
SMALL = {
    "sqlite": "128m",
    "postgres": "256m",
}  # what the disk of each kind holds, and all that is sent


@dataclass
class Faults:
    """One service, those who send to it, and what its database has in turn."""

    served: Served
    senders: Sequence[Sender]
    troubles: Mapping[str, Trouble]
    session: aiohttp.ClientSession
    port: int
    dice: random.Random
    tally: Tally
    recovered_s: float
    at_least: int  # deliveries that are answered before a trouble ends
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, rounds: int) -> None:
        """Have each trouble *rounds* times while all send; return when all is acknowledged."""
        await self._ready(READY_S)
        async with asyncio.TaskGroup() as sending:
            for one in self.senders:
                sending.create_task(one.go_on(self.over))
            for _ in range(rounds):
                for name, trouble in self.troubles.items():
                    await asyncio.sleep(self.dice.uniform(*WELL_S))
                    await self._round(name, trouble)
            self.over.set()
        if left := sum(one.given_up for one in self.senders):
            self.tally.broken.append(f"{left} deliveries are refused though all is well")

    async def _round(self, name: str, trouble: Trouble) -> None:
        pids = [self.served.process.pid]
        refused = self._refused()
        enough = self._answered() + self.at_least
        await trouble.begin(pids)
        await asyncio.sleep(self.dice.uniform(*ILL_S))
        if not await self._until(lambda: self._answered() >= enough, READY_S):
            self.tally.broken.append(f"{name}: next to nothing was answered")
        await trouble.end(pids)
        well_since = time.monotonic()
        if not await self._ready(self.recovered_s):
            late = f"not ready after {self.recovered_s:g} s without a restart"
            self.tally.broken.append(f"{name}: {late}")
            await self._ready(READY_S)
        took_s = time.monotonic() - well_since
        most_s = next((s for s in (2, 5, RECOVERED_S, self.recovered_s) if took_s <= s), READY_S)
        felt = "refused meanwhile" if self._refused() > refused else "nothing felt"
        self.tally.ends[f"{name}: ready within {most_s:g} s, {felt}"] += 1

    def _answered(self) -> int:
        return sum(one.answers.total() for one in self.senders)

    def _refused(self) -> int:
        return sum(one.answers["503"] for one in self.senders)

    async def _until(self, enough: Callable[[], bool], within: float) -> bool:
        give_up = time.monotonic() + within
        while not (over := enough()) and time.monotonic() < give_up:  # noqa: ASYNC110  # untold
            await asyncio.sleep(LOOK_S)
        return over

    async def _ready(self, within: float) -> bool:
        give_up = time.monotonic() + within
        while time.monotonic() < give_up:
            if await is_ready(self.session, self.port):
                return True
            await asyncio.sleep(LOOK_S)
        return False


async def play(
    kind: str,
    *,
    rounds: int,
    seed: str,
    tally: Tally,
    recovered_s: float,
    likely: float = 0.05,
    at_least: int = 0,
) -> None:
    """Play on a database of this *kind* of its own, on a small disk where one can be had.

    *likely* is the part of the writes that fail on a failing disk; a trouble lasts until
    *at_least* deliveries were answered, and the service is ready *recovered_s* after it.
    """
    dice = random.Random(seed)
    async with AsyncExitStack() as closing:
        folder = Path(closing.enter_context(TemporaryDirectory(prefix="keyturn-ill-")))
        disk = closing.enter_context(a_small_disk(folder / "disk", SMALL[kind]))
        url = await closing.enter_async_context(_database(kind, disk or folder))
        troubles = _troubles(kind, url, disk, FailingDisk(folder, dice, likely))
        if disk is None:
            tally.ends["not tried: a full disk, which takes the right to mount one"] += 1
        if not troubles:
            return
        world = await closing.enter_async_context(a_world(folder, url))
        await world.store.close()  # nobody but the service has the database open
        # libraries that are loaded while libfiu sets something up may bring the process down: of
        # no app, nothing is drawn, and none is
        world.edit(app="")
        given = {k: v for one in troubles.values() for k, v in one.given().items()}
        served = await world.serve_cold(**given)
        base = f"http://{LOOPBACK}:{world.port}"
        session = await closing.enter_async_context(aiohttp.ClientSession())
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        senders = [Sender(n, base, token, session, dice) for n in range(SENDERS)]
        scene = Faults(
            *(served, senders, troubles, session, world.port, dice, tally),
            recovered_s=recovered_s,
            at_least=at_least,
        )
        await scene.play(rounds)
        if served.process.returncode is not None:
            tally.broken.append("the service has ended")
        await served.kill()  # what it has not written by now it never will
        await _file_the_rest(url)
        await _look(url, senders, tally)


def _troubles(kind: str, url: str, disk: Path | None, failing: FailingDisk) -> dict[str, Trouble]:
    server = Stopped.of(url) if kind == "postgres" else None
    found: dict[str, Trouble] = {}
    if server is not None:
        found["stopped at once"] = server
    elif FailingDisk.possible():
        found["a failing disk"] = failing
    if disk is not None:
        found["a full disk"] = FullDisk(disk, server)
    return found


@asynccontextmanager
async def _database(kind: str, folder: Path) -> AsyncIterator[str]:
    """A migrated database whose files are in *folder*."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'ill.db'}"
        await asyncio.to_thread(migrate, url)
        yield url
        return
    server = postgres(within=folder)
    _, url = await asyncio.to_thread(server.__enter__)
    try:
        await asyncio.to_thread(migrate, url)
        yield url
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def _file_the_rest(url: str) -> None:
    """What the next one does that starts: only what was written down can come of it."""
    store = await open_store(url, moves=MOVES)
    try:
        await file_all(store)
    finally:
        await store.close()


async def _look(url: str, senders: Sequence[Sender], tally: Tally) -> None:
    engine = create_async_engine(translate_url(url))
    try:
        stored = await Stored.read(engine)
    finally:
        await engine.dispose()
    acknowledged = {k: v for one in senders for k, v in one.acknowledged.items()}
    answers = sum((one.answers for one in senders), Counter[str]())
    tally.broken += [f"in trouble: {what}" for what in stored.broken(acknowledged)]
    tally.broken += [f"in trouble: answered with {a}" for a in answers if a not in {"202", "503"}]
    tally.figures.update(
        {
            "in trouble: alerts acknowledged": len(acknowledged),
            "in trouble: deliveries acknowledged": answers["202"],
            "in trouble: deliveries answered with 503": answers["503"],
        }
    )
