"""Two processes, twenty clicks at once, one quorum: `python -m tests.proofs.races [--quick]`.

Each round opens a rollback; two processes on one database take twenty clicks of eight people in
(some pressed twice, some delivered twice), judge them with two workers each, and race for the
execution. The last line is one JSON object; the exit code is 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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
from store.session import SqlStore, migrate, open_store
from store.tables import InboxRow
from tests.builders import CHANNEL, KEYS, REVIEWERS
from tests.proofs.race_worker import CROWD
from tests.unit.services.scene import a_pending

ROOT = Path(__file__).resolve().parents[2]
CLICKS, QUICK, FULL = 20, 50, 400
ROUND_LIMIT_S = 60.0
CARD_TS = "1764000000.000100"
RULES = Policy(reviewers=(REVIEWERS,), named=True).snapshot(CROWD)


@dataclass
class Tally:
    """What was seen on one database; `broken` names each promise that did not hold."""

    rounds: int = 0
    clicks: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "rounds": self.rounds,
            "clicks": self.clicks,
            "ends": dict(self.ends),
            "executions": self.executions,
            "seconds": round(self.seconds, 1),
            "broken": self.broken,
        }


async def race(database_url: str, *, rounds: int, seed: int = 1) -> Tally:
    """Race *rounds* times on the migrated, empty database at *database_url*."""
    tally, dice = Tally(), random.Random(seed)
    began = time.monotonic()
    async with AsyncExitStack() as closing:
        store = await open_store(database_url, moves=approval.MOVES)
        closing.push_async_callback(store.close)
        workers = [await closing.enter_async_context(_worker(n, database_url)) for n in "ab"]
        for number in range(rounds):
            async with asyncio.timeout(ROUND_LIMIT_S):
                await _one_round(store, workers, tally, dice, number)
        waiting = await _undone(database_url)
        if waiting:
            tally.broken.append(f"{waiting} clicks were never judged")
        if not (await verify(store)).ok:
            tally.broken.append("the audit chain is broken")
    tally.seconds = time.monotonic() - began
    return tally


async def _one_round(
    store: SqlStore,
    workers: Sequence[asyncio.subprocess.Process],
    tally: Tally,
    dice: random.Random,
    number: int,
) -> None:
    where = AppEnv(f"app-{number}", "prod")
    pending = await a_pending(store, where=where, rules=RULES, card_ts=CARD_TS)
    clicks = _clicks(pending, dice, rejects=number % 2 == 1)
    shares = [clicks[0::2], clicks[1::2]]
    twice = dice.choice(clicks)  # Slack delivers this one to both
    for share in shares:
        share += [twice] if twice not in share else []
        dice.shuffle(share)
    answers = await asyncio.gather(
        *(
            _ask(worker, {"app": where.app, "env": where.env, "clicks": share})
            for worker, share in zip(workers, shares, strict=True)
        )
    )
    published = sum(answer["published"] for answer in answers)
    taken = sum(answer["taken"] for answer in answers)
    tally.rounds += 1
    tally.clicks += CLICKS
    tally.executions += published
    await _look(store, pending.id, tally, published=published, taken=taken)


def _clicks(pending: Rollback, dice: random.Random, *, rejects: bool) -> list[dict[str, Any]]:
    """Twenty clicks: everybody at least twice, in some order; a quarter of them rejects."""
    people = [CROWD[n % len(CROWD)] for n in range(CLICKS)]
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
    store: SqlStore, rollback_id: int, tally: Tally, *, published: int, taken: int
) -> None:
    async with store.read() as tx:
        after = await tx.rollbacks.get(rollback_id)
        events = Counter(event.kind for event in await tx.events.of("rollback", rollback_id))
        recent = await tx.audit.entries(after=max((await tx.audit.head())[0] - 200, 0))
    tally.ends[after.state.value] += 1
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
        f"{taken} clicks stored, not {CLICKS}": taken == CLICKS,
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
    tally.broken += [
        f"rollback {rollback_id}: {what}" for what, held in promises.items() if not held
    ]


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


async def _main(urls: dict[str, str], rounds: int) -> int:
    tallies = {name: await race(url, rounds=rounds) for name, url in urls.items()}
    ok = all(not tally.broken for tally in tallies.values())
    databases = {name: tally.as_json() for name, tally in tallies.items()}
    print(json.dumps({"status": "held" if ok else "broken", "databases": databases}))
    return 0 if ok else 1


def main() -> int:
    """Race on the database that is named, or on an SQLite file of its own."""
    words = argparse.ArgumentParser(prog="python -m tests.proofs.races", description=__doc__)
    words.add_argument("--quick", action="store_true", help=f"{QUICK} rounds, not {FULL}")
    words.add_argument("--database-url", help="an empty database; default: an SQLite file")
    asked = words.parse_args()
    rounds = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory(prefix="keyturn-races-") as folder:
        url = asked.database_url or f"sqlite:///{Path(folder) / 'races.db'}"
        migrate(url)
        return asyncio.run(_main({url.partition(":")[0]: url}, rounds))


if __name__ == "__main__":
    raise SystemExit(main())
