"""The database goes away, again and again, while people approve and executors work:
`python -m tests.proofs.outages [--quick]`.

On PostgreSQL the server is stopped at once (`pg_ctl stop -m immediate`) at some moment of each
round and started again after a while, in full also after half a minute. On SQLite one write in
twenty finds no room on the disk or does not get there, by libfiu. Two replicas, on SQLite one,
go on as the service does, without a restart. People press until it is said that their click is
stored, as they do when Slack shows them that it is not.

However it goes: every click that was said to be stored has its effect, each rollback has two
votes and one claim, one publish of ours is live and read back, the editors' draft is as it was,
and the audit chain is whole. Ten seconds after the trouble every worker has the database again, at
the latest; how long the rest of the work takes then is a matter of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col

from bot.domain import button, quorum
from store.address import translate_url
from store.audit import verify
from store.records import Rollback, Unavailable
from store.tables import InboxRow
from tests.builders import ALICE, BOB, CAROL, CHANNEL, KEYS
from tests.proofs.arena import ROOT, Arena, Trial, an_arena
from tests.proofs.lost_commit import CARD_TS, give_it_a_card
from tests.proofs.running import Ended, Journal, Tally, run, without
from tests.proofs.trouble import Trouble, environment, trouble_of

ROUNDS, QUICK = 40, 3
ROLLBACKS = 6  # a round
LONG = 10  # each so-manieth round's trouble is a long one
PRESSED_S = 2.5  # until then all have pressed for the first time
BEGINS_S, SHORT_S, LONG_S = (0.3, 2.0), (0.2, 3.0), (25.0, 40.0)
RECOVERED_S, BUSY_S = 10.0, 40.0  # the second where others use the machine
LIMIT_S = 90.0  # what hangs is not waited for for ever
GIVEN_UP_S = 60.0  # for the work that was left, whoever else uses the machine
PRESS_AGAIN_S = 0.3
LOOK_S = 0.05
T = TypeVar("T")


class Replica:
    """A process that works for us; it is told clicks, and says whether each was stored."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked: dict[str, asyncio.Future[bool]] = {}
        self._hearing: asyncio.Task[None] | None = None
        self.lost: set[str] = set()  # the workers that have lost the database
        self.back_at = 0.0  # when the last of them had it again

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.returncode is None

    async def ready(self) -> None:
        """Return when it works."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            assert await self._process.stdout.readline()
        self._hearing = asyncio.create_task(self._hear())

    async def tell(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        await self._process.stdin.drain()

    async def press(self, click: dict[str, Any]) -> bool:
        """Send *click*; True when it was said to be stored."""
        answer = asyncio.get_running_loop().create_future()
        self._asked[click["digest"]] = answer
        await self.tell(click)
        async with asyncio.timeout(LIMIT_S):
            return bool(await answer)

    async def stop(self) -> None:
        """End it."""
        if self.runs:
            self._process.kill()
        await self._process.wait()
        if self._hearing is not None:
            await self._hearing

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "worker" in said:
                self.lost ^= {said["worker"]}
                self.back_at = time.monotonic()
            else:
                self._asked.pop(said["digest"]).set_result(said["stored"])


async def prove(
    database_url: str, rounds: int, seed: int, journal: Journal, *, recovered_s: float
) -> Tally:
    """Play *rounds* on the migrated database at *database_url*, whose server may be stopped.

    Every worker has the database again *recovered_s* seconds after it came back.
    """
    tally = Tally()
    with trouble_of(database_url, random.Random(seed)) as trouble:
        if trouble is None:
            return without("fiu-utils")
        async with _replicas(database_url, trouble) as (arena, replicas, engine):
            for number in range(rounds):
                dice = random.Random(f"{seed}.{number}")
                one = Round(number, arena, replicas, engine, trouble, dice, recovered_s)
                tally.add(*await journal.once(f"round {number}", one.play))
            if not (await verify(arena.store)).ok:
                tally.broken.append("the audit chain is broken")
    return tally


@asynccontextmanager
async def _replicas(
    database_url: str, trouble: Trouble
) -> AsyncIterator[tuple[Arena, list[Replica], AsyncEngine]]:
    names = ("one",) if database_url.startswith("sqlite") else ("one", "two")
    async with AsyncExitStack() as closing:
        arena = await closing.enter_async_context(an_arena(database_url, executors=0))
        engine = create_async_engine(translate_url(database_url), pool_pre_ping=True)
        closing.push_async_callback(engine.dispose)
        replicas = []
        for name in names:
            words = (name, database_url, arena.dify.url)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.proofs.outage_worker", *words),
                cwd=ROOT,
                env=environment(trouble),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            replicas.append(Replica(process))
            closing.push_async_callback(replicas[-1].stop)
        await asyncio.gather(*(replica.ready() for replica in replicas))
        yield arena, replicas, engine


@dataclass
class Round:
    """Some rollbacks that are approved and executed while the database has its trouble."""

    number: int
    arena: Arena
    replicas: Sequence[Replica]
    engine: AsyncEngine
    trouble: Trouble
    dice: random.Random
    recovered_s: float
    stored: list[str] = field(default_factory=list)  # digests of what was said to be stored
    refused: int = 0  # presses that were said not to be

    async def play(self) -> Ended:
        """Play it; return how it ended."""
        trials = [await self._approvable() for _ in range(ROLLBACKS)]
        for replica in self.replicas:
            await replica.tell({"apps": {trial.where.app: trial.app_id for trial in trials}})
        async with asyncio.TaskGroup() as at_once:
            having = at_once.create_task(self._have_trouble())
            for trial in trials:
                for who in self.dice.sample((ALICE, BOB, CAROL), self.dice.choice((2, 3))):
                    at_once.create_task(self._press(trial, who, self.dice.uniform(0.0, PRESSED_S)))
        well_since = having.result()
        broken = [f"it was not over: {what}" for what in await self._all_ended(trials, well_since)]
        took_s = max(0.0, *(replica.back_at - well_since for replica in self.replicas))
        if took_s > self.recovered_s:
            broken.append(f"it took {took_s:.1f} s until every worker had the database again")
        for trial in trials:
            broken += await self._broken(trial)
        broken += [f"replica {n} has ended" for n, r in enumerate(self.replicas) if not r.runs]
        return await self._felt(trials, took_s), [f"round {self.number}: {what}" for what in broken]

    async def _felt(self, trials: Sequence[Trial], took_s: float) -> str:
        """How soon it was over, and what of the trouble was felt."""
        most_s = next((s for s in (2, 5, RECOVERED_S, self.recovered_s) if took_s <= s), GIVEN_UP_S)
        taken_over = [await self.arena.said_of(t, "rollback.take_over") for t in trials]
        felt = {"clicks refused": self.refused > 0, "executions taken over": any(taken_over)}
        said = " and ".join(what for what, is_so in felt.items() if is_so)
        return f"back within {most_s:g} s, {said or 'nothing felt'}"

    async def _approvable(self) -> Trial:
        trial = await self.arena.asked()
        await give_it_a_card(self.arena, trial)
        return trial

    async def _have_trouble(self) -> float:
        """Have it, at some moment and for some time; return when it was over."""
        long = self.number % LONG == LONG - 1
        await asyncio.sleep(self.dice.uniform(*BEGINS_S))
        pids = [replica.pid for replica in self.replicas]
        await self.trouble.begin(pids)
        await asyncio.sleep(self.dice.uniform(*(LONG_S if long else SHORT_S)))
        await self.trouble.end(pids)
        return time.monotonic()

    async def _press(self, trial: Trial, who: str, after_s: float) -> None:
        """Press Approve until it is said to be stored, each time at some replica's door."""
        await asyncio.sleep(after_s)
        rollback = await _patiently(partial(self.arena.rollback, trial))
        while True:
            click = _click(rollback, who)
            if await self.dice.choice(self.replicas).press(click):
                self.stored.append(click["digest"])
                return
            self.refused += 1
            await asyncio.sleep(PRESS_AGAIN_S)

    async def _all_ended(self, trials: Sequence[Trial], well_since: float) -> list[str]:
        """Wait until nothing is open and no click waits; what it was not worth waiting for."""
        give_up = time.monotonic() + GIVEN_UP_S
        while True:
            left = [
                str(trial.where)
                for trial in trials
                if (await _patiently(partial(self.arena.rollback, trial))).open
            ] + await self._lost()
            lost = [f"{name} has no database" for r in self.replicas for name in r.lost]
            until = well_since + self.recovered_s if lost else give_up
            if not left + lost or time.monotonic() > until:
                return left + lost
            await asyncio.sleep(LOOK_S)

    async def _lost(self) -> list[str]:
        """The clicks that were said to be stored and had no effect."""
        query = select(col(InboxRow.digest)).where(
            col(InboxRow.digest).in_(self.stored), col(InboxRow.done_at).is_not(None)
        )
        async with self.engine.connect() as connection:
            done = set((await connection.scalars(query)).all())
        return [f"a click that was stored has no effect: {d}" for d in self.stored if d not in done]

    async def _broken(self, trial: Trial) -> list[str]:
        after = await self.arena.rollback(trial)
        broken = trial.broken(after, self.arena.state)
        claims = await self.arena.said_of(trial, "rollback.execute")
        people = sorted(vote.person for vote in quorum.approvals(after))
        if len(people) != 2 or len(after.votes) != 2 or len(set(people)) != 2:
            broken.append(f"{trial.where}: the votes are {people}")
        if claims != 1:
            broken.append(f"{trial.where}: it was claimed {claims} times")
        return broken


def _click(rollback: Rollback, who: str) -> dict[str, Any]:
    payload = {
        "value": button.sign(rollback, "approve", keys=KEYS),
        "channel": CHANNEL,
        "ts": CARD_TS,
        "response_url": "",
    }
    return {"digest": secrets.token_hex(16), "who": who, "payload": payload}


async def _patiently(look: Callable[[], Awaitable[T]]) -> T:
    """Look until the database answers."""
    while True:
        try:
            return await look()
        except Unavailable:
            await asyncio.sleep(LOOK_S)


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    rounds, recovered_s = (QUICK, BUSY_S) if asked.quick else (ROUNDS, RECOVERED_S)
    return await prove(url, rounds, asked.seed, journal, recovered_s=recovered_s)


if __name__ == "__main__":
    raise SystemExit(run("outages", __doc__ or "", _prove, together=True))
