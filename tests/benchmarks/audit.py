"""The audit chain: how fast it is verified, and what it costs to write.

    python -m tests.benchmarks.audit [--quick] [--json]

A chain of a million entries (--quick: fifty thousand) is put into an SQLite database. `verify`
reads and checks it; the measure is the same check of entries that are in memory already, both in
the time that this process had a processor, so that a busy machine says nothing about it. An entry
is written at the commit of what it tells, so several of one transaction go together: a thousand in
one transaction are measured against one transaction each, with every commit on the disk. The last
line is one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from bot.domain.approval import MOVES
from bot.domain.record.entries import canonical_line
from store import chain
from store.audit import verify
from store.canonical import canonical
from store.records import AuditDraft, AuditEntry
from store.session import SqlStore, migrate, open_store
from store.walk import Walk
from tests.benchmarks.measuring import Goal, Report, options

SAMPLE = 50_000  # entries that are held in memory at once
ROUNDS = 5
TOGETHER, ALONE = 1_000, 60
_NAMES = [field.name for field in fields(AuditEntry)]


def a_draft(number: int) -> AuditDraft:
    what = {
        "app": "support-triage@prod",
        "digest": f"{number:064x}",
        "round": number % 7,
        "groups": ["S0REVIEWERS", "S0SRE"],
    }
    return AuditDraft(
        f"U0P{number % 9}", "vote.approve", f"rollback/{number // 5}", "ok", what, ip_note="Slack"
    )


def linked(count: int) -> Iterator[AuditEntry]:
    prev = chain.GENESIS
    for number in range(1, count + 1):
        moment = "2026-11-24T12:00:00.000000Z"
        entry = chain.link(a_draft(number), seq=number, timestamp=moment, prev=prev)
        prev = entry.hash
        yield entry


def filled(path: Path, count: int) -> list[AuditEntry]:
    """Put *count* entries into the database at *path*; return the first of them."""
    sample: list[AuditEntry] = []

    def rows() -> Iterator[list[object]]:
        for entry in linked(count):
            if len(sample) < SAMPLE:
                sample.append(entry)
            kept = vars(entry) | {"what": canonical(entry.what).decode()}
            yield [kept[name] for name in _NAMES]

    marks = ", ".join("?" * len(_NAMES))
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(f"INSERT INTO audit ({', '.join(_NAMES)}) VALUES ({marks})", rows())
        database.execute(
            "UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC)"
        )
    return sample


def walked(entries: Sequence[AuditEntry]) -> float:
    """Entries a second of processor time, in memory."""
    began = time.process_time()
    walk = Walk()
    assert all(map(walk.take, entries))
    return len(entries) / (time.process_time() - began)


async def verified(store: SqlStore, count: int) -> tuple[float, float]:
    """Entries a second from the database: of processor time, and by the clock on the wall."""
    began, clock = time.process_time(), time.perf_counter()
    found = await verify(store)
    assert (found.ok, found.entries) == (True, count), found
    return count / (time.process_time() - began), count / (time.perf_counter() - clock)


async def written(store: SqlStore, *, in_each: int, transactions: int) -> float:
    """Entries a second; the product appends as here, and commits what they tell with them."""
    drafts = [a_draft(number) for number in range(in_each)]
    began = time.perf_counter()
    for _ in range(transactions):
        async with store.write() as tx:
            for draft in drafts:
                await tx.audit.append(draft)
    return in_each * transactions / (time.perf_counter() - began)


async def measure(report: Report, count: int, folder: Path) -> None:
    path = folder / "audit.db"
    await asyncio.to_thread(migrate, f"sqlite:///{path}")
    sample = await asyncio.to_thread(filled, path, count)
    gc.freeze()  # what is held in memory here is no matter of the other contestant's
    store = await open_store(f"sqlite:///{path}", moves=MOVES)
    rates: dict[str, list[float]] = {
        name: [] for name in ("in memory", "verify", "verify, by the clock", "together", "alone")
    }
    try:
        for _ in range(ROUNDS if count <= SAMPLE else 3):
            rates["in memory"].append(walked(sample))
            rate, by_clock = await verified(store, count)
            rates["verify"].append(rate)
            rates["verify, by the clock"].append(by_clock)
    finally:
        await store.close()
    await asyncio.to_thread(migrate, f"sqlite:///{folder / 'empty.db'}")
    store = await open_store(f"sqlite:///{folder / 'empty.db'}", moves=MOVES)
    try:
        for _ in range(ROUNDS):
            rates["together"].append(await written(store, in_each=TOGETHER, transactions=1))
            rates["alone"].append(await written(store, in_each=1, transactions=ALONE))
    finally:
        await store.close()
    per_second = {name: statistics.median(found) for name, found in rates.items()}
    report.measured |= {
        "entries": count,
        "bytes_an_entry": len(canonical_line(sample[0])),
        "entries_a_second": {name: round(rate) for name, rate in per_second.items()},
    }
    report.goals += [
        Goal(
            "verify against the chain in memory",
            per_second["verify"] / per_second["in memory"],
            0.4,
            at_least=True,
        ),
        Goal(
            "a thousand entries in one transaction against one each",
            per_second["together"] / per_second["alone"],
            20,
            at_least=True,
        ),
    ]


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("audit", quick)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(report, SAMPLE if quick else 1_000_000, Path(folder)))
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
