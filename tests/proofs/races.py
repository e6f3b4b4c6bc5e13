"""Two processes, up to a hundred clicks at once, one quorum:
`python -m tests.proofs.races [--quick]`.

Each round opens a rollback; two processes on one database take 2 to 100 clicks of eight people
in (some pressed twice, some delivered twice, in every other round a quarter of them rejects),
judge them with two workers each, and race for the execution. However it goes: one quorum, one
execution, or one reject that came first; nobody is stuck and nobody has two votes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import col

from bot.domain import approval, button, quorum
from bot.domain.policy import Policy
from store.address import translate_url
from store.audit import verify
from store.records import AppEnv, Choice, InboxKind, Rollback, State
from store.session import SqlStore, open_store
from store.tables import InboxRow
from tests.builders import CHANNEL, KEYS, REVIEWERS
from tests.proofs.race_worker import CROWD
from tests.proofs.running import Journal, Tally, run
from tests.unit.services.scene import a_pending

ROOT = Path(__file__).resolve().parents[2]
CLICKS, QUICK, FULL = (2, 8, 20, 20, 50, 100), 24, 10_000
ROUND_LIMIT_S = 60.0
CARD_TS = "1764000000.000100"
RULES = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)


async def prove(database_url: str, rounds: int, seed: int, journal: Journal) -> Tally:
    """Race *rounds* times on the migrated database at *database_url*."""
    tally = Tally()
    async with AsyncExitStack() as closing:
        store = await open_store(database_url, moves=approval.MOVES)
        closing.push_async_callback(store.close)
        workers = [await closing.enter_async_context(_worker(n, database_url)) for n in "ab"]
        for number in range(rounds):
            play = partial(_one_round, store, workers, number, seed)
            tally.add(*await journal.once(f"round {number}", play))
        waiting = await _undone(database_url)
        if waiting:
            tally.broken.append(f"{waiting} clicks were never judged")
        if not (await verify(store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


async def _one_round(
    store: SqlStore, workers: Sequence[asyncio.subprocess.Process], number: int, seed: int
) -> tuple[str, list[str]]:
    dice = random.Random(f"{seed}.{number}")
    where = AppEnv(f"app-{number}", "prod")
    pending = await a_pending(store, where=where, rules=RULES, card_ts=CARD_TS)
    clicks = _clicks(pending, dice, dice.choice(CLICKS), rejects=number % 2 == 1)
    shares = [clicks[0::2], clicks[1::2]]
    twice = dice.choice(clicks)  # Slack delivers this one to both
    for share in shares:
        share += [twice] if twice not in share else []
        dice.shuffle(share)
    async with asyncio.timeout(ROUND_LIMIT_S):
        answers = await asyncio.gather(
            *(
                _ask(worker, {"app": where.app, "env": where.env, "clicks": share})
                for worker, share in zip(workers, shares, strict=True)
            )
        )
    published = sum(answer["published"] for answer in answers)
    taken = sum(answer["taken"] for answer in answers)
    return await _look(store, pending.id, len(clicks), published=published, taken=taken)


def _clicks(
    pending: Rollback, dice: random.Random, count: int, *, rejects: bool
) -> list[dict[str, Any]]:
    """*count* clicks of everybody in turn, in some order; with *rejects* a quarter of them."""
    people = [CROWD[n % len(CROWD)] for n in range(count)]
    dice.shuffle(people)
    return [
        _click(pending, who, n, Choice.REJECT if rejects and n % 4 == 0 else Choice.APPROVE)
        for n, who in enumerate(people)
    ]


def _click(pending: Rollback, who: str, number: int, choice: Choice) -> dict[str, Any]:
    kind = InboxKind.SUBMISSION if choice is Choice.REJECT else InboxKind.CLICK
    action = choice.value
    return {
        "digest": f"{pending.id}-{number}",
        "kind": kind.value,
        "action": action,
        "who": who,
        "payload": {
            "value": button.sign(pending, action, keys=KEYS),
            "channel": CHANNEL,
            "ts": CARD_TS,
            "response_url": "",
            "reason": "not now" if choice is Choice.REJECT else "",
        },
    }


async def _look(
    store: SqlStore, rollback_id: int, clicks: int, *, published: int, taken: int
) -> tuple[str, list[str]]:
    async with store.read() as tx:
        after = await tx.rollbacks.get(rollback_id)
        events = Counter(event.kind for event in await tx.events.of("rollback", rollback_id))
        recent = await tx.audit.entries(after=max((await tx.audit.head())[0] - 400, 0))
    entries = [entry for entry in recent if entry.resource == f"rollback/{rollback_id}"]
    claims = sum(entry.action == "rollback.execute" for entry in entries)
    counted = [
        entry.user_id
        for entry in entries
        if entry.action.startswith("vote.") and entry.status == "ok"
    ]
    standing = [vote for vote in after.votes if vote.voided_at is None]
    approvals = [vote.person for vote in standing if vote.choice is Choice.APPROVE]
    rejects = [vote.person for vote in standing if vote.choice is Choice.REJECT]
    won, stopped = after.state is State.COMPLETED, after.state is State.REJECTED
    promises = {
        f"{taken} clicks stored, not {clicks}": taken == clicks,
        f"it ended as {after.state}": after.state in {State.COMPLETED, State.REJECTED},
        "a quorum stands and nothing came of it": won or stopped or not quorum.reached(after),
        f"{events['APPROVED']} moves to APPROVED": int(won) <= events["APPROVED"] <= 1,
        f"{claims} claims of the execution": claims == events["EXECUTING"] == int(won),
        f"{published} publishes": published == int(won),
        f"votes of {approvals} and rejects of {rejects}": (len(approvals), len(rejects)) == (2, 0)
        if won
        else len(approvals) <= 2 and len(rejects) == 1,
        "somebody has two votes": len(set(approvals + rejects)) == len(standing),
        f"{len(counted)} votes in the audit chain": sorted(counted)
        == sorted(vote.person for vote in after.votes),
    }
    broken = [f"rollback {rollback_id}: {what}" for what, held in promises.items() if not held]
    return after.state.value, broken


async def _undone(database_url: str) -> int:
    engine = create_async_engine(translate_url(database_url))
    try:
        async with engine.connect() as connection:
            query = (
                select(func.count()).select_from(InboxRow).where(col(InboxRow.done_at).is_(None))
            )
            return await connection.scalar(query) or 0
    finally:
        await engine.dispose()


@asynccontextmanager
async def _worker(name: str, database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proofs.race_worker", name, database_url),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ROUND_LIMIT_S):
            await _hear(process)
        yield process
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(ROUND_LIMIT_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ask(worker: asyncio.subprocess.Process, told: dict[str, Any]) -> dict[str, Any]:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(told).encode() + b"\n")
    await worker.stdin.drain()
    return await _hear(worker)


async def _hear(worker: asyncio.subprocess.Process) -> dict[str, Any]:
    assert worker.stdout is not None
    line = await worker.stdout.readline()
    if not line:
        raise AssertionError(f"a worker ended with {await worker.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    return await prove(url, QUICK if asked.quick else FULL, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("races", __doc__ or "", _prove))
