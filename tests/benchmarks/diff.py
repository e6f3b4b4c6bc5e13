"""How long a difference takes, from the bytes of both sides, against libraries and the limit.

    python -m tests.benchmarks.diff [--quick] [--json]

The limit is to parse both sides with orjson, as any program does; with the garbage collector at
rest, as ours does, is measured beside it. deepdiff, jsonpatch and jsondiffpatch get ready
objects: their parsing is not counted. Two stored versions go through the database, as the service
compares them: it has looked at the nodes that both have before, and how long the very first time
takes is measured beside it. The last line is one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import orjson
import uvloop
from deepdiff import DeepDiff

from bot.domain.approval import MOVES
from bot.domain.diff.changes import compare
from bot.domain.diff.raw import compare_json
from bot.services.comparing import between
from store.document import Document
from store.session import migrate, open_store
from tests.benchmarks.measuring import Goal, Report, milliseconds, options
from tests.benchmarks.storage import a_new
from tests.benchmarks.workflows import Workflows

SEED = 20_261_127
NODES = 1000
_SCRIPT = """
import * as jsondiffpatch from 'jsondiffpatch';
import {readFileSync} from 'node:fs';
const [before, after, rounds] = process.argv.slice(2);
const [a, b] = [before, after].map(file => JSON.parse(readFileSync(file)));
const differ = jsondiffpatch.create({objectHash: o => o.id, textDiff: {minLength: 60}});
differ.diff(a, b);
const times = [];
for (let n = 0; n < Number(rounds); n++) {
  const began = process.hrtime.bigint();
  differ.diff(a, b);
  times.push(Number(process.hrtime.bigint() - began) / 1e6);
}
console.log(times.sort((x, y) => x - y)[times.length >> 1]);
"""


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    made = Workflows(SEED)
    content = made.content(NODES)
    edited = made.mixed(content)
    before, after = orjson.dumps(content), orjson.dumps(edited)
    report = Report("diff", quick)

    found = compare_json(before, after)
    assert found == compare(Document("workflow", content), Document("workflow", edited))
    report.measured |= {"nodes": NODES, "bytes": len(before), "changes": len(found.changes)}
    report.measured["summary"] = found.summary()

    times = milliseconds(_quick_ones(before, after), rounds=9 if quick else 31)
    times |= milliseconds(_slow_ones(before, after), rounds=1 if quick else 5)
    _goals(report, times)
    _jsondiffpatch(report, content, edited, times, rounds=5 if quick else 15)
    uvloop.run(_stored(report, made, times, rounds=15 if quick else 51))
    report.measured["milliseconds"] = {name: round(ms, 3) for name, ms in times.items()}
    report.finish(as_json=as_json)


def _quick_ones(before: bytes, after: bytes) -> dict[str, Callable[[], object]]:
    def parse() -> object:
        return orjson.loads(before), orjson.loads(after)

    def parse_at_rest() -> object:
        gc.disable()
        try:
            return parse()
        finally:
            gc.enable()

    return {
        "keyturn": lambda: compare_json(before, after),
        "limit": parse,
        "limit with the collector at rest": parse_at_rest,
    }


def _slow_ones(before: bytes, after: bytes) -> dict[str, Callable[[], object]]:
    a, b = orjson.loads(before), orjson.loads(after)
    return {
        "deepdiff": lambda: DeepDiff(a, b),
        "jsonpatch": lambda: jsonpatch.make_patch(a, b),
    }


def _goals(report: Report, times: dict[str, float]) -> None:
    ours = times["keyturn"]
    at_rest = times["limit with the collector at rest"]
    report.goals += [
        Goal("deepdiff, times slower", times["deepdiff"] / ours, 80, at_least=True),
        Goal("jsonpatch, times slower", times["jsonpatch"] / ours, 5, at_least=True),
        Goal("against parsing both", ours / times["limit"], 1.4),
    ]
    report.measured["against parsing both with the collector at rest"] = round(ours / at_rest, 3)


def _jsondiffpatch(
    report: Report, content: Any, edited: Any, times: dict[str, float], *, rounds: int
) -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        report.left_out.append("jsondiffpatch: there is no Node.js")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text('{"type": "module"}')
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "jsondiffpatch@0.7"]
        if subprocess.run(npm, cwd=folder, check=False, capture_output=True).returncode:
            report.left_out.append("jsondiffpatch: npm could not install it")
            return
        (folder / "run.js").write_text(_SCRIPT)
        for file, value in (("a.json", content), ("b.json", edited)):
            (folder / file).write_text(json.dumps(value))
        ran = subprocess.run(
            ["node", "run.js", "a.json", "b.json", str(rounds)],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    times["jsondiffpatch"] = float(ran.stdout)
    ratio = times["jsondiffpatch"] / times["keyturn"]
    report.goals.append(Goal("jsondiffpatch, times slower", ratio, 2, at_least=True))


async def _stored(report: Report, made: Workflows, times: dict[str, float], *, rounds: int) -> None:
    """One prompt of 1,000 nodes reworded; read from an SQLite file, a transaction each time."""
    content = made.content(NODES)
    contents = content, made.one_prompt(content)
    before, after = map(orjson.dumps, contents)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/keyturn.db"
        await asyncio.to_thread(migrate, url)
        store = await open_store(url, moves=MOVES)
        async with store.write() as tx:
            documents = [Document("workflow", content) for content in contents]
            old, new = [
                await tx.versions.record(a_new(n), document) for n, document in enumerate(documents)
            ]
        gc.freeze()  # a service does not hold two whole contents for the collector to go through
        taken: dict[str, list[float]] = {"first": [], "stored": [], "limit": []}
        for n in range(rounds + 1):
            began = time.perf_counter()
            found = await between(store, old, new)
            middle = time.perf_counter()
            orjson.loads(before), orjson.loads(after)
            taken["stored" if n else "first"].append((middle - began) * 1000)
            taken["limit"].append((time.perf_counter() - middle) * 1000)
        await store.close()
    assert found == compare(*documents)
    assert len(found.changes) == 1
    medians = {name: statistics.median(some) for name, some in taken.items()}
    times |= {"two stored versions": medians["stored"], "… the first time": medians["first"]}
    ratio = medians["stored"] / medians["limit"]
    report.goals.append(Goal("two stored versions against parsing both", ratio, 0.1))


if __name__ == "__main__":
    main()
