"""A page of history costs the same however long the history is, and however deep one looks.

    python -m tests.benchmarks.paging [--quick] [--json]

Versions of one app are put into two SQLite databases, a thousand and a million (--quick: a
hundred thousand), by SQL; pages of fifty are read through the store. The last line is one JSON
object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bot.domain.approval import MOVES
from store.records import AppEnv
from store.session import SqlStore, migrate, open_store
from tests.benchmarks.measuring import Goal, Report, options

WHERE = AppEnv("support-triage", "prod")
OTHERS = 9  # apps beside it, with as many versions together
PAGE = 50
FEW = 1_000
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO version (app, env, kind, source, number, root, meaning, external_id, external_hash,
                     external_name, external_comment, author, published_at, recorded_at)
SELECT :app, 'prod', 'published', 'published', i, 'r', 'm', :app || i, 'hash', 'name', '', 'alice',
       '2026-01-01 12:00:00.000000', '2026-01-01 12:00:00.000000' FROM n
"""


async def filled(folder: Path, count: int) -> SqlStore:
    """A store with *count* versions of one app and as many of others."""
    path = folder / f"{count}.db"
    await asyncio.to_thread(migrate, f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO manifest (root, meaning, mode, base, packed) "
            "VALUES ('r', 'm', 'workflow', NULL, x'00')"
        )
        database.execute(_FILL, {"app": WHERE.app, "count": count})
        for other in range(OTHERS):
            database.execute(_FILL, {"app": f"other-{other}", "count": count // OTHERS})
    return await open_store(f"sqlite:///{path}", moves=MOVES)


async def page(store: SqlStore, before: int | None) -> float:
    began = time.perf_counter()
    async with store.read() as tx:
        found = await tx.versions.history(WHERE, limit=PAGE, before=before)
    assert len(found) == PAGE
    return (time.perf_counter() - began) * 1000


async def measure(report: Report, many: int, folder: Path) -> None:
    small, large = await filled(folder, FEW), await filled(folder, many)
    pages = {
        "first of few": (small, None),
        "first of many": (large, None),
        "deepest of many": (large, PAGE + 1),
    }
    times: dict[str, list[float]] = {name: [] for name in pages}
    try:
        for _ in range(60):
            for name, (store, before) in pages.items():
                times[name].append(await page(store, before))
    finally:
        await small.close()
        await large.close()
    medians = {name: statistics.median(taken[5:]) for name, taken in times.items()}
    few = medians["first of few"]
    report.measured |= {
        "versions": many,
        "milliseconds": {name: round(ms, 3) for name, ms in medians.items()},
    }
    report.goals += [
        Goal("first page of many against first of few", medians["first of many"] / few, 1.5),
        Goal("deepest page of many against first of few", medians["deepest of many"] / few, 1.5),
    ]


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("paging", quick)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(report, 100_000 if quick else 1_000_000, Path(folder)))
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
