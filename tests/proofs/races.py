"""Several processes, up to a hundred clicks at once, one quorum:
`python -m tests.proofs.races [--quick]`; in full, `--keep --minutes 60` again and again.

Each round opens a rollback; two processes on SQLite, three on PostgreSQL, take 2 to 100 clicks of
eight people in (each fiftieth round a hundred for each process; some pressed twice, one delivered
to every process; in every other round one, a quarter or half of them rejects), judge them with two
workers each, and race for the execution while clicks still come. However it goes: one quorum, one
execution, or one reject that came first; nobody is stuck and nobody has two votes.

Rounds go through the processes one after the other and overlap; what came of a batch of them is
looked at together. Commits do not wait for the disk: what a power cut leaves is not what is
proved here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import col

from bot.domain import approval, button, quorum
from bot.domain.policy import Policy
from store import chain
from store.address import translate_url
from store.audit import verify
from store.records import AppEnv, AuditEntry, Choice, InboxKind, Rollback, State
from store.session import SqlStore, open_store
from store.tables import InboxRow
from tests.builders import CHANNEL, KEYS, REVIEWERS
from tests.proofs.race_worker import CROWD, ENV, LINE, RESUME, Click
from tests.proofs.running import Ended, Journal, Tally, processes_on, run
from tests.unit.services.scene import a_pending

ROOT = Path(__file__).resolve().parents[2]
FULL = 10_000  # rounds on each database
QUICK = {2: 200, 3: 100}  # by how many processes race: a round costs with each
FEWEST, MOST = 2, 100  # clicks of a round; as often between 2 and 14 as between 14 and 100
CROWDED = 50  # each so-manieth round brings MOST clicks to every process
BATCH = 25  # rounds
BATCH_LIMIT_S = 900.0  # what hangs is not waited for for ever
CARD_TS = "1764000000.000100"
RULES = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)


async def prove(database_url: str, rounds: int, seed: int, journal: Journal) -> Tally:
    """Race *rounds* times on the migrated database at *database_url*."""
    tally = Tally()
    async with AsyncExitStack() as closing:
        store = await open_store(database_url, moves=approval.MOVES, durable=False)
        closing.push_async_callback(store.close)
        names = "abc"[: processes_on(database_url)]
        workers = [await closing.enter_async_context(a_worker(n, database_url)) for n in names]
        race = Race(store, workers, seed)
        for first in range(journal.before, rounds, BATCH):
            if journal.over:
                tally.left = rounds - first
                break
            numbers = range(first, min(first + BATCH, rounds))
            await journal.all_of([_name(number) for number in numbers], race.batch)
            for number in numbers:
                tally.add(*journal.done[_name(number)])
        waiting = await _undone(database_url)
        if waiting:
            tally.broken.append(f"{waiting} clicks were never judged")
        if not (await verify(store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


def _name(number: int) -> str:
    return f"round {number}"


@dataclass(frozen=True)
class Round:
    """One rollback and the clicks on it, as each process gets them."""

    pending: Rollback
    clicks: int
    shares: tuple[list[Click], ...]

    @property
    def app(self) -> str:
        return self.pending.leg.where.app


@dataclass
class Race:
    """The processes that race, on one database."""

    store: SqlStore
    workers: Sequence[asyncio.subprocess.Process]
    seed: int

    async def batch(self, names: Sequence[str]) -> dict[str, Ended]:
        """Play the rounds *names*; what came of each."""
        async with self.store.read() as tx:
            before, linked = await tx.audit.head()
        rounds = {name: await self._open(int(name.split()[1])) for name in names}
        async with asyncio.timeout(BATCH_LIMIT_S):
            told = [
                {one.app: one.shares[n] for one in rounds.values()}
                for n in range(len(self.workers))
            ]
            answers = await asyncio.gather(*map(ask, self.workers, told))
            for worker, answer in zip(self.workers, answers, strict=True):
                await _resume(worker, answer)
        async with self.store.read() as tx:
            entries = await tx.audit.entries(after=before, limit=1_000_000)
        by_rollback: dict[str, list[AuditEntry]] = {}
        for entry in entries:
            by_rollback.setdefault(entry.resource, []).append(entry)
        looked = {
            name: await self._look(
                one,
                _together(answer[one.app] for answer in answers),
                by_rollback.get(f"rollback/{one.pending.id}", []),
            )
            for name, one in rounds.items()
        }
        looked[names[-1]][1].extend(_unlinked(entries, linked))
        return looked

    async def _open(self, number: int) -> Round:
        dice = random.Random(f"{self.seed}.{number}")
        where = AppEnv(f"app-{number}", ENV)
        pending = await a_pending(self.store, where=where, rules=RULES, card_ts=CARD_TS)
        count = _how_many(dice)
        if number % CROWDED == CROWDED - 1:
            count = MOST * len(self.workers)
        rejects = max(count // dice.choice((2, 4, MOST)), 1) if number % 2 else 0
        clicks = _clicks(pending, dice, count, rejects=rejects)
        shares = tuple(clicks[n :: len(self.workers)] for n in range(len(self.workers)))
        twice = dice.choice(clicks)  # Slack delivers this one to all
        for share in shares:
            share += [twice] if twice not in share else []
            dice.shuffle(share)
        return Round(pending, count, shares)

    async def _look(self, one: Round, did: Counter[str], entries: Sequence[AuditEntry]) -> Ended:
        async with self.store.read() as tx:
            after = await tx.rollbacks.get(one.pending.id)
            events = Counter(event.kind for event in await tx.events.of("rollback", after.id))
        return after.state.value, _broken(one, after, did, events, entries)


def _unlinked(entries: Sequence[AuditEntry], prev: str) -> list[str]:
    """What is wrong with the links of *entries*, which come after the one with the hash *prev*."""
    hashes = [prev, *(entry.hash for entry in entries)]
    flaws = (
        chain.flaw(entry, seq=entry.seq, prev=before)
        for before, entry in zip(hashes, entries, strict=False)
    )
    return [f"the audit chain is broken: {flaw}" for flaw in flaws if flaw]


def _together(answers: Iterable[Mapping[str, int]]) -> Counter[str]:
    """What all processes did."""
    did: Counter[str] = Counter()
    for answer in answers:
        did.update(answer)
    return did


def _how_many(dice: random.Random) -> int:
    """From FEWEST to MOST, evenly on the logarithm: small crowds are where a quorum is missed."""
    return round(math.exp(dice.uniform(math.log(FEWEST), math.log(MOST))))


def _clicks(pending: Rollback, dice: random.Random, count: int, *, rejects: int) -> list[Click]:
    """*count* clicks of everybody in turn, in some order, *rejects* of them against."""
    people = [CROWD[n % len(CROWD)] for n in range(count)]
    dice.shuffle(people)
    values = {choice: button.sign(pending, choice.value, keys=KEYS) for choice in Choice}
    choices = [Choice.REJECT] * rejects + [Choice.APPROVE] * (count - rejects)
    return [
        a_click(f"{pending.id}-{n}", who, choice, values[choice])
        for n, (who, choice) in enumerate(zip(people, choices, strict=True))
    ]


def a_click(digest: str, who: str, choice: Choice, value: str) -> Click:
    """What comes from Slack when *who* presses the button with *value* on the round's card."""
    rejects = choice is Choice.REJECT
    return {
        "digest": digest,
        "kind": (InboxKind.SUBMISSION if rejects else InboxKind.CLICK).value,
        "action": choice.value,
        "who": who,
        "payload": {
            "value": value,
            "channel": CHANNEL,
            "ts": CARD_TS,
            "response_url": "",
            "reason": "not now" if rejects else "",
        },
    }


def _broken(
    one: Round,
    after: Rollback,
    did: Counter[str],
    events: Counter[str],
    entries: Sequence[AuditEntry],
) -> list[str]:
    """Which promises did not hold in this round."""
    claims = sum(entry.action == "rollback.execute" for entry in entries)
    counted = [e.user_id for e in entries if e.action.startswith("vote.") and e.status == "ok"]
    standing = [vote for vote in after.votes if vote.voided_at is None]
    approvals = [vote.person for vote in standing if vote.choice is Choice.APPROVE]
    rejects = [vote.person for vote in standing if vote.choice is Choice.REJECT]
    won, stopped = after.state is State.COMPLETED, after.state is State.REJECTED
    promises = {
        f"{did['taken']} clicks stored, not {one.clicks}": did["taken"] == one.clicks,
        f"it ended as {after.state}": won or stopped,
        "a quorum stands and nothing came of it": won or stopped or not quorum.reached(after),
        f"{events['APPROVED']} moves to APPROVED": int(won) <= events["APPROVED"] <= 1,
        f"{claims} claims of the execution": claims == events["EXECUTING"] == int(won),
        f"{did['published']} publishes": did["published"] == int(won),
        f"votes of {approvals} and rejects of {rejects}": (len(approvals), len(rejects)) == (2, 0)
        if won
        else len(approvals) <= 2 and len(rejects) == 1,
        "somebody has two votes": len(set(approvals + rejects)) == len(standing),
        f"{len(counted)} votes in the audit chain": sorted(counted)
        == sorted(vote.person for vote in after.votes),
    }
    return [f"rollback {after.id}: {what}" for what, held in promises.items() if not held]


async def _undone(database_url: str) -> int:
    engine = create_async_engine(translate_url(database_url))
    try:
        async with engine.connect() as connection:
            query = (
                select(func.count()).select_from(InboxRow).where(col(InboxRow.done_at).is_(None))
            )
            return int(await connection.scalar(query) or 0)
    finally:
        await engine.dispose()


@asynccontextmanager
async def a_worker(
    name: str,
    database_url: str,
    module: str = "tests.proofs.race_worker",
    more: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process *name* that waits for its share, with *more* in its environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, name, database_url),
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE,
    )
    try:
        async with asyncio.timeout(BATCH_LIMIT_S):
            await hear(process)
        yield process
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(BATCH_LIMIT_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ask(worker: asyncio.subprocess.Process, told: Mapping[str, Any]) -> dict[str, Any]:
    """Tell *worker* what its share is; return what it says of it in the end."""
    await tell(worker, told)
    return await hear(worker)


async def _resume(worker: asyncio.subprocess.Process, answer: dict[str, Any]) -> None:
    """Let *worker* go on with what it left in the middle, again until nothing is left."""
    while any(did["left"] for did in answer.values()):
        again = await ask(worker, {RESUME: True})
        for app, did in answer.items():
            did.update(again[app])


async def tell(worker: asyncio.subprocess.Process, told: Mapping[str, Any]) -> None:
    """Say one line to *worker*."""
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(told).encode() + b"\n")
    await worker.stdin.drain()


async def hear(worker: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next line that *worker* says."""
    assert worker.stdout is not None
    line = await worker.stdout.readline()
    if not line:
        raise AssertionError(f"a worker ended with {await worker.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    rounds = QUICK[processes_on(url)] if asked.quick else FULL
    return await prove(url, rounds, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("races", __doc__ or "", _prove, together=True, in_parts=True))
