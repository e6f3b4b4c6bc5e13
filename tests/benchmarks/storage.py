"""How much room and time versions take, against git and against one compressed row a version.

    python -m tests.benchmarks.storage [--quick] [--json]

Successive versions of a 200-node workflow go through the store as the service uses it: SQLite,
WAL, synchronous=FULL, one transaction a version. The size is that of the database file, without
any VACUUM; git's is that of `.git` after `git gc`. Times are medians, in turn. The last line is
one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop
import zstandard

from bot.adapters.dify.recollection import Form, Recollection
from bot.adapters.dify.transport import Answer, Request
from bot.adapters.dify.wire import live
from bot.domain.approval import MOVES
from bot.ports.target import TargetVersion
from store.document import Document
from store.records import AppEnv, NewVersion, VersionKind, VersionSource
from store.session import SqlStore, migrate, open_store
from tests.benchmarks.measuring import Goal, Report, milliseconds, options
from tests.benchmarks.workflows import Workflows

SEED = 7
NODES = 200
WHERE = AppEnv("support-triage", "prod")
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def successive(count: int) -> list[dict[str, Any]]:
    """Contents made of one another: mostly one reworded prompt, every 20th a day's work."""
    made = Workflows(SEED)
    contents = [made.content(NODES)]
    for n in range(1, count):
        edit = made.mixed if n % 20 == 0 else made.one_prompt
        contents.append(edit(contents[-1]))
    return contents


def a_new(n: int) -> NewVersion:
    return NewVersion(
        where=WHERE,
        kind=VersionKind.PUBLISHED,
        source=VersionSource.PUBLISHED,
        external_id=f"{n:08x}-0000-4000-8000-000000000000",
        external_hash=hashlib.sha256(str(n).encode()).hexdigest(),
        published_at=_NOON,
        author="alice@example.com",
    )


async def measure(report: Report, count: int, folder: Path) -> None:
    contents = successive(count)
    gc.freeze()  # a service does not hold hundreds of contents for the collector to go through
    url = f"sqlite:///{folder / 'keyturn.db'}"
    await asyncio.to_thread(migrate, url)
    store = await open_store(url, moves=MOVES)
    try:
        rows = _Rows(folder / "rows.db")
        ours, theirs = await _write(store, rows, contents)
        read, read_row = await _read(store, rows, count)
        rows.close()
        size = _file_size(folder / "keyturn.db")
        await _unchanged(report, store, folder)
    finally:
        await store.close()
    git = _git_size(folder / "git", contents)
    row_size = _file_size(folder / "rows.db")
    report.measured |= {
        "versions": count,
        "megabytes": {name: round(n / 1e6, 2) for name, n in _named(size, git, row_size).items()},
        "milliseconds": {
            "write": round(ours, 3),
            "write a row": round(theirs, 3),
            "read": round(read, 3),
            "read a row": round(read_row, 3),
        },
    }
    report.goals += [
        Goal("size against git after gc", size / git, 2.2),
        Goal("size against one row a version", size / row_size, 0.06 if count >= 1000 else 0.09),
        Goal("writing against writing a row", ours / theirs, 3),
        Goal("reading against reading a row", read / read_row, 10),
    ]


def _named(size: int, git: int, rows: int) -> dict[str, int]:
    return {"keyturn": size, "git after gc": git, "one zstd row a version": rows}


class _Rows:
    """The peer: each version whole, compressed, in a row of its own, through sqlite3 itself."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE version (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")

    def write(self, content: dict[str, Any]) -> None:
        packed = zstandard.ZstdCompressor(level=3).compress(orjson.dumps(content))
        self._database.execute("INSERT INTO version (data) VALUES (?)", (packed,))

    def read(self, row: int) -> Any:
        query = "SELECT data FROM version WHERE id = ?"
        (packed,) = self._database.execute(query, (row,)).fetchone()
        return orjson.loads(zstandard.ZstdDecompressor().decompress(packed))

    def close(self) -> None:
        self._database.close()


async def _write(
    store: SqlStore, rows: _Rows, contents: list[dict[str, Any]]
) -> tuple[float, float]:
    ours, theirs = [], []
    for n, content in enumerate(contents):
        document = Document("workflow", content)
        began = time.perf_counter()
        async with store.write() as tx:
            await tx.versions.record(a_new(n), document)
        middle = time.perf_counter()
        rows.write(content)
        ours.append(middle - began)
        theirs.append(time.perf_counter() - middle)
    return statistics.median(ours) * 1000, statistics.median(theirs) * 1000


async def _read(store: SqlStore, rows: _Rows, count: int) -> tuple[float, float]:
    ours, theirs = [], []
    for row in range(1, count + 1, max(count // 60, 1)):
        began = time.perf_counter()
        async with store.read() as tx:
            await tx.versions.document(row)
        middle = time.perf_counter()
        rows.read(row)
        ours.append(middle - began)
        theirs.append(time.perf_counter() - middle)
    return statistics.median(ours) * 1000, statistics.median(theirs) * 1000


async def _unchanged(report: Report, store: SqlStore, folder: Path) -> None:
    """What the target answers is stored already: from its bytes to knowing that.

    As the closer look at an app does it, the second and every further time.
    """
    content = Workflows(SEED + 1).content(1000)
    shown = [{"value": "[__HIDDEN__]", **v} for v in content["environment_variables"]]
    raw = orjson.dumps(_ANSWER | content | {"environment_variables": shown})
    recollection, form = Recollection(), partial(live, mode="workflow")
    first = recollection.understood(_answered(raw), form, asked="live")
    assert first is not None
    async with store.write() as tx:
        version = await tx.versions.record(a_new(10_000), first.document)
    before = _written(folder)

    async def again() -> float:
        began = time.perf_counter()
        told = recollection.understood(_answered(bytes(bytearray(raw))), form, asked="live")
        async with store.read() as tx:
            newest = await tx.versions.newest(WHERE)
        taken = time.perf_counter() - began
        assert told is not None
        assert newest is not None
        assert newest.id == version.id
        assert newest.root == told.document.root
        return taken * 1000

    ours = statistics.median([await again() for _ in range(9)])
    limits = {"limit": lambda: _digest(raw), "first": lambda: _first(raw, form)}
    times = milliseconds(limits, rounds=9)
    written = _written(folder) - before
    report.measured["unchanged snapshot, 1,000 nodes, ms"] = round(ours, 3)
    report.measured["the first time in a process, ms"] = round(times["first"], 3)
    report.measured["parse, dump and hash, ms"] = round(times["limit"], 3)
    report.goals += [
        Goal("unchanged snapshot against parse, dump and hash", ours / times["limit"], 1.2),
        Goal("rows written by an unchanged snapshot", written, 0),
    ]


_ANSWER = {
    "id": "00002710-0000-4000-8000-000000000000",
    "version": "2026-01-01 12:00:00",
    "hash": "00" * 32,
    "marked_name": "",
    "marked_comment": "",
    "created_by": {"id": "1", "name": "alice", "email": "alice@example.com"},
    "created_at": 1_767_268_800,
}


def _answered(raw: bytes) -> Answer:
    return Answer(Request("GET", "/apps/1/workflows/publish"), 200, "1.14.2", raw, {})


def _first(raw: bytes, form: Form[TargetVersion]) -> None:
    Recollection().understood(_answered(raw), form, asked="live")


def _digest(raw: bytes) -> str:
    dumped = orjson.dumps(orjson.loads(raw), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(dumped).hexdigest()


def _written(folder: Path) -> int:
    """How many rows there are of all that a version is made of."""
    tables = ("version", "manifest", "part", "audit")
    with closing(sqlite3.connect(folder / "keyturn.db")) as database:
        counts = (database.execute(f"SELECT COUNT(*) FROM {table}").fetchone() for table in tables)
        return sum(count for (count,) in counts)


def _file_size(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def _git_size(folder: Path, contents: list[dict[str, Any]]) -> int:
    """One commit a version of its indented JSON, as people keep such files."""
    folder.mkdir()

    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "gc.auto=0")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    for n, content in enumerate(contents):
        (folder / "workflow.json").write_text(json.dumps(content, indent=1))
        git("add", "workflow.json")
        git("commit", "-q", "-m", f"version {n}")
    git("gc", "-q")
    return sum(file.stat().st_size for file in (folder / ".git" / "objects").rglob("*.pack"))


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("storage", quick)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(report, 200 if quick else 1000, Path(folder)))
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
