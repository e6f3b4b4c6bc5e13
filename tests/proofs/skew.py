"""Replicas whose clocks are ten minutes apart either way: `python -m tests.proofs.skew [--quick]`.

Three processes work on one PostgreSQL, which has the true time: one of them too, one is ten
minutes ahead and one ten minutes behind, by libfaketime. Rollbacks are open for a few seconds;
two people press in time, too late, at the very moment of the expiry, or only one does, and each
replica takes clicks in, judges them, executes, reminds, expires and claims the ticks of a job.
Then an executor of each clock holds a rollback and stands still, or dies, and the others look.

PostgreSQL itself notes every row with its own time (`tests.proofs.noted`). Whatever the clocks
say: no time is stored that is not the database's, nothing expires early or late, no vote and no
execution counts after the expiry, nobody is reminded early or twice, no lease that runs is taken
over, one that is over is, and no tick is run twice or missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.domain import button
from bot.domain.words import NoteCode
from store.address import translate_url
from store.audit import verify
from store.records import AppEnv, Choice, Rollback, State
from store.session import SqlStore
from tests.builders import KEYS
from tests.proofs import clocks, noted
from tests.proofs.arena import Arena, Trial, an_arena
from tests.proofs.clocks import CLOCKS
from tests.proofs.noted import Note
from tests.proofs.race_worker import CROWD, ENV
from tests.proofs.races import CARD_TS, RULES, a_click, a_worker, hear, tell
from tests.proofs.running import Ended, Journal, Tally, run, without
from tests.proofs.skew_worker import LOOK_S, TICK
from tests.proofs.zombies import POINTS
from tests.unit.services.scene import a_pending

SHIFTS, SHIFTS_QUICK = 25, 1
OPENED_A_SHIFT = 16  # rollbacks
OPEN_FOR_S = {"in time": 60, "too late": 5, "at the moment": 6, "alone": 7}
REMIND_AFTER_S, ESCALATE_AFTER_S = 1, 3
CALLS = {NoteCode.REMINDER: REMIND_AFTER_S, NoteCode.ESCALATED: ESCALATE_AFTER_S}
LATE = timedelta(seconds=30)  # from when something is due until it is done; others use the machine
LIMIT_S = 120.0  # what hangs is not waited for for ever; the skew is five times as much
LEASE_S, LONG_LEASE_S = 1.5, 60.0
DEEDS = ("stands still", "dies")
ROUNDS = 2
OTHERS = ("second", "third")


@dataclass(frozen=True)
class Case:
    """Whose clock holds a rollback, where it stops, and whether it goes on."""

    clock: str
    deed: str
    point: str
    round: int = 0

    def __str__(self) -> str:
        return f"{self.clock} {self.deed} at {self.point}, {self.round}"


CASES = [Case(*case) for case in product(CLOCKS, DEEDS, POINTS, range(ROUNDS))]


def chosen(seed: int) -> list[Case]:
    """Each clock with one that stands still, and one that dies."""
    dice = random.Random(seed)
    still, dies = DEEDS
    held = [(clock, still) for clock in CLOCKS] + [(dice.choice([*CLOCKS]), dies)]
    return [Case(*case, dice.choice(POINTS)) for case in held]


async def prove(
    database_url: str, shifts: int, cases: Sequence[Case], seed: int, journal: Journal
) -> Tally:
    """Work *shifts* and play *cases* on the migrated PostgreSQL at *database_url*."""
    if clocks.library() is None:
        return without("libfaketime")
    tally = Tally(broken=await clocks.wrong())
    async with _an_engine(database_url) as engine, AsyncExitStack() as closing:
        await noted.begin(engine)
        start = partial(a_worker, database_url=database_url, module="tests.proofs.skew_worker")
        replicas = [start(clock, more=clocks.given(clock)) for clock in CLOCKS if shifts]
        entering = asyncio.gather(*map(closing.enter_async_context, replicas))
        executors = [clocks.given(clock) for clock in CLOCKS]
        arena = await closing.enter_async_context(an_arena(database_url, given=executors))
        working = await entering
        for number in range(shifts):
            shift = Shift(number, engine, arena.store, working, random.Random(f"{seed}.{number}"))
            names = [f"shift {number}, {n}" for n in range(OPENED_A_SHIFT)]
            await journal.all_of(names, shift.work)
            for name in names:
                tally.add(*journal.done[name])
        for case in cases:
            tally.add(*await journal.once(str(case), partial(_hold, arena, engine, case)))
        if not (await verify(arena.store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


@asynccontextmanager
async def _an_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(translate_url(database_url))
    try:
        yield engine
    finally:
        await engine.dispose()


# -- a shift: votes, expiries, reminders and ticks ------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A rollback, how it is voted on, and when: seconds after it was opened."""

    pending: Rollback
    manner: str
    presses: tuple[float, ...]

    def expected(self) -> frozenset[State]:
        """How it may end."""
        return {
            "in time": frozenset({State.COMPLETED}),
            "at the moment": frozenset({State.COMPLETED, State.EXPIRED}),
        }.get(self.manner, frozenset({State.EXPIRED}))


@dataclass(frozen=True)
class Shift:
    """Some seconds in which all replicas work side by side."""

    number: int
    engine: AsyncEngine
    store: SqlStore
    replicas: Sequence[asyncio.subprocess.Process]
    dice: random.Random

    async def work(self, names: Sequence[str]) -> dict[str, Ended]:
        """Open as many rollbacks as there are *names*, work, and look at what came of it."""
        before = await noted.newest(self.engine)
        opened = [await self._open(n) for n in range(len(names))]
        orders = self._orders(opened, await noted.now(self.engine))
        await asyncio.gather(*map(tell, self.replicas, orders))
        began = await noted.now(self.engine)
        await self._all_ended(opened)
        for replica in self.replicas:
            await tell(replica, {"over": True})
        done = [await hear(replica) for replica in self.replicas]
        ended = await noted.now(self.engine)
        seen = await noted.notes(self.engine, after=before)
        looked = {
            name: await self._look(one, seen) for name, one in zip(names, opened, strict=True)
        }
        job = orders[0]["job"]
        silent = [what for what in done[0] if not any(one[what] for one in done)]
        looked[names[-1]][1].extend(
            [
                *(f"nothing was {what} by anybody" for what in silent),
                *noted.wrong_times(seen),
                *noted.wrong_expiries(seen, late=LATE),
                *noted.wrong_leases(seen),
                *noted.wrong_ticks(seen, {job: TICK}),
                *noted.missed_ticks(seen, job, TICK, start=began + TICK, end=ended),
            ]
        )
        return looked

    async def _all_ended(self, opened: Sequence[Opened]) -> None:
        """Wait until nothing of it is open, though not for ever: what is then is looked at."""
        give_up = time.monotonic() + LIMIT_S
        while any([await self._is_open(one) for one in opened]):
            if time.monotonic() > give_up:
                return
            await asyncio.sleep(LOOK_S)

    async def _is_open(self, one: Opened) -> bool:
        async with self.store.read() as tx:
            return (await tx.rollbacks.get(one.pending.id)).open

    async def _open(self, n: int) -> Opened:
        manner = list(OPEN_FOR_S)[n % len(OPEN_FOR_S)]
        open_for = OPEN_FOR_S[manner]
        rules = replace(
            RULES,
            remind_after_s=REMIND_AFTER_S,
            escalate_after_s=ESCALATE_AFTER_S,
            backups=CROWD[-1:],
        )
        pending = await a_pending(
            self.store,
            where=AppEnv(f"shift-{self.number}-{n}", ENV),
            rules=rules,
            open_for=timedelta(seconds=open_for),
            card_ts=CARD_TS,
        )
        return Opened(pending, manner, self._presses(manner, open_for))

    def _presses(self, manner: str, open_for: float) -> tuple[float, ...]:
        first, spread = self.dice.uniform(0.1, 1.0), self.dice.uniform
        match manner:
            case "in time":
                return first, first + spread(0.0, 0.5)
            case "too late":
                return first, open_for + spread(0.5, 1.5)
            case "at the moment":
                return first, open_for + spread(-1.0, 0.3)
        return (first,)

    def _orders(self, opened: Sequence[Opened], at: datetime) -> list[dict[str, Any]]:
        """What each replica has to do: some clicks are its own, all the rest is everybody's.

        The monotonic clock is one for all processes of a machine, and nobody tampers with it; *at*
        is what it is by the database's.
        """
        now = time.monotonic()
        orders: list[dict[str, Any]] = [
            {
                "apps": [one.pending.leg.where.app for one in opened],
                "job": f"shift-{self.number}",
                "presses": [],
            }
            for _ in self.replicas
        ]
        for one in opened:
            value = button.sign(one.pending, Choice.APPROVE.value, keys=KEYS)
            people = self.dice.sample(CROWD, len(one.presses))
            opened_at = now + (one.pending.opened_at - at).total_seconds()
            for who, after_s in zip(people, one.presses, strict=True):
                click = a_click(f"{one.pending.id}-{who}", who, Choice.APPROVE, value)
                press = {"at": opened_at + after_s, "click": click}
                self.dice.choice(orders)["presses"].append(press)
        return orders

    async def _look(self, one: Opened, seen: Sequence[Note]) -> Ended:
        async with self.store.read() as tx:
            after = await tx.rollbacks.get(one.pending.id)
        broken = [] if after.state in one.expected() else [f"it ended as {after.state}"]
        broken += _wrong_calls(one.pending, seen)
        end = f"votes {one.manner}: {after.state.value}"
        return end, [f"rollback {after.id}, {one.manner}: {what}" for what in broken]


def _wrong_calls(pending: Rollback, seen: Sequence[Note]) -> list[str]:
    """What was said to those who may vote too early, too late or twice."""
    wrong = []
    for code, after_s in CALLS.items():
        due = pending.opened_at + timedelta(seconds=after_s)
        cause = f"rollback:{pending.id}:{code}"
        rows = [n for n in seen if n.table == "outbox" and n.anew]
        told = [n.at for n in rows if n.row["dedupe_id"].endswith(cause)]
        if len(told) > 1:
            wrong.append(f"{code} was told {len(told)} times")
        if told and not due <= told[0] <= due + LATE:
            wrong.append(f"{code} was due at {due} and told at {told[0]}")
    return wrong


# -- a lease ---------------------------------------------------------------------------------------


async def _hold(arena: Arena, engine: AsyncEngine, case: Case) -> Ended:
    """Let one hold a rollback, the others look at once, and again when its lease is over."""
    before = await noted.newest(engine)
    trial = await arena.approved()
    place = list(CLOCKS).index(case.clock)
    first = arena.executors[place]
    others = [one for one in arena.executors if one is not first]
    dies = case.deed == "dies"
    lease_s = LEASE_S if dies else LONG_LEASE_S
    stops = {"failpoint": f"{case.point}={'kill' if dies else 'stop'}", "lease_s": lease_s}
    await first.begin(arena.order(trial, "first", **stops))
    look = partial(arena.run_at_once, trial, OTHERS, who=others, later_s=0)
    codes: list[int] = []
    while "stopped" in (said := await first.hear()):  # its point may be passed more than once
        codes += await look()
        os.kill(first.pid, signal.SIGCONT)
    if dies:
        codes += await look()
        await _lease_over(arena, engine, trial)
        codes += await look()
    else:
        codes.append(said["ended"])
    after = await arena.rollback(trial)
    broken = trial.broken(after, arena.state)
    if not dies and after.execution.owner != "first":
        broken.append(f"{after.execution.owner} took it while its lease was running")
    if dies and await arena.said_of(trial, "rollback.take_over") != 1:
        broken.append("it was not taken over once")
    broken += [f"an executor ended with {code}" for code in codes if code]
    seen = await noted.notes(engine, after=before)
    broken += [*noted.wrong_leases(seen), *noted.wrong_times(seen)]
    return f"who holds it {case.deed}: {after.state.value}", [f"{case}: {w}" for w in broken]


async def _lease_over(arena: Arena, engine: AsyncEngine, trial: Trial) -> None:
    held = await arena.rollback(trial)
    if held.open and held.execution.lease_until is not None:
        left = held.execution.lease_until - await noted.now(engine)
        await asyncio.sleep(left.total_seconds() + 0.01)


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    if asked.quick:
        return await prove(url, SHIFTS_QUICK, chosen(asked.seed), asked.seed, journal)
    return await prove(url, SHIFTS, CASES, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("skew", __doc__ or "", _prove, kinds=("postgres",)))
