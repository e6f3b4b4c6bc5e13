"""How a proof is run alone: its words, its databases, what is done already, and what it leaves.

The last line is one JSON object, and the exit code is 1 when a promise broke. A full run writes
what it has done into a journal beside its result, so that one that was cut off goes on. One that
takes hours may also be run in parts, each of which ends by itself: the kept result then says of
each part which commit it was played on, and the next one goes on behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.session import migrate
from tests.plugins.databases import postgres

KINDS = ("sqlite", "postgres")
RESULTS = Path(__file__).with_name("results")
ROOT = Path(__file__).resolve().parents[2]


Ended = tuple[str, list[str]]  # how a case ended, and which promises broke in it


@dataclass
class Tally:
    """What was seen; `broken` names each promise that did not hold, `ends` counts the rest.

    `left` are the cases that this part leaves to the next one; `figures` say how much there was.
    """

    cases: int = 0
    left: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, end: str, broken: Sequence[str] = ()) -> None:
        """Count one case."""
        self.cases += 1
        self.ends[end] += 1
        self.broken += broken


@dataclass(frozen=True)
class Journal:
    """Which cases were done before, with what they came to; None as a path keeps nothing.

    `before` are the cases of earlier parts; `ends_at` is when this part is to end, by the
    monotonic clock.
    """

    path: Path | None
    done: dict[str, Ended] = field(default_factory=dict)
    before: int = 0
    ends_at: float = math.inf

    @classmethod
    def of(cls, path: Path | None, *, before: int = 0, ends_at: float = math.inf) -> Journal:
        """What a run that was cut off has left at *path*."""
        journal = cls(path, before=before, ends_at=ends_at)
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, end, broken = json.loads(line)
                journal.done[name] = (end, broken)
        return journal

    @property
    def over(self) -> bool:
        """Whether this part is to end now."""
        return time.monotonic() > self.ends_at

    async def once(self, name: str, play: Callable[[], Awaitable[Ended]]) -> Ended:
        """What case *name* came to: it is played and written down, or was before."""
        if name not in self.done:
            self._keep(name, await play())
        return self.done[name]

    async def all_of(
        self, names: Iterable[str], play: Callable[[list[str]], Awaitable[dict[str, Ended]]]
    ) -> None:
        """Like `once` for cases that are played together: *play* gets those that are left."""
        left = [name for name in names if name not in self.done]
        if left:
            for name, ended in (await play(left)).items():
                self._keep(name, ended)

    def _keep(self, name: str, ended: Ended) -> None:
        self.done[name] = ended
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, *ended]) + "\n")


def without(what: str) -> Tally:
    """What came of a proof that needs *what*, which is not here: nothing, unless all is required.

    As with the tests (`tests.plugins.requirements`).
    """
    said = f"{what} is not installed"
    required = os.environ.get("KEYTURN_REQUIRE") == "all"
    return Tally(ends=Counter([f"not tried: {said}"]), broken=[said] if required else [])


Prove = Callable[[str, argparse.Namespace, Journal], Coroutine[Any, Any, Tally]]


def processes_on(database_url: str) -> int:
    """How many processes race there: SQLite is for one machine, PostgreSQL for replicas."""
    return 2 if database_url.startswith("sqlite") else 3


def run(
    name: str,
    what: str,
    prove: Prove,
    *,
    words: Callable[[argparse.ArgumentParser], None] = lambda _: None,
    kinds: Sequence[str] = KINDS,
    together: bool = False,
    in_parts: bool = False,
) -> int:
    """Prove on each database that is asked for; print what came of it; return the exit code.

    *words* adds options of the proof's own; *kinds* are the databases that it is played on. With
    *together* on all of them at the same time: one that waits leaves the machine to others. With
    *in_parts* it may be told to end after a while, and goes on behind the parts that were kept.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.proofs.{name}", description=what)
    parser.add_argument("--quick", action="store_true", help="a part of the cases")
    parser.add_argument("--database-url", help=f"an empty database; default: {kinds}, of our own")
    parser.add_argument("--seed", type=int, default=1, help="of what is chosen by chance")
    parser.add_argument("--keep", action="store_true", help="write the result where it is kept")
    if in_parts:
        parser.add_argument("--minutes", type=float, default=math.inf, help="end after about that")
    words(parser)
    asked = parser.parse_args()
    began = time.monotonic()
    ends_at = began + 60 * asked.minutes if in_parts else math.inf
    earlier = _parts(name, asked.seed) if in_parts and asked.keep else []
    if asked.keep:
        RESULTS.mkdir(exist_ok=True)

    async def on(databases: Iterable[tuple[str, str]]) -> dict[str, Tally]:
        proving = {}
        async with asyncio.TaskGroup() as tasks:
            for kind, url in databases:
                path = RESULTS / f"{name}.{kind}.journal" if asked.keep else None
                journal = Journal.of(path, before=_cases(earlier, kind), ends_at=ends_at)
                proving[kind] = tasks.create_task(prove(url, asked, journal))
        return {kind: task.result() for kind, task in proving.items()}

    with ExitStack() as held:
        databases = _databases(asked.database_url, kinds, held)
        if together:
            tallies = asyncio.run(on(databases))
        else:
            tallies = {k: t for one in databases for k, t in asyncio.run(on([one])).items()}
    result = _result(name, asked, tallies, time.monotonic() - began)
    if in_parts and asked.keep:
        result = _with_earlier(earlier, result)
    if asked.keep:
        _keep(name, result)
    print(json.dumps(result))
    return 1 if result["status"] == "broken" else 0


def _result(
    name: str, asked: argparse.Namespace, tallies: dict[str, Tally], seconds: float
) -> dict[str, Any]:
    broken = any(tally.broken for tally in tallies.values())
    left = any(tally.left for tally in tallies.values())
    return {
        "proof": name,
        "status": "broken" if broken else "unfinished" if left else "held",
        "quick": asked.quick,
        "seed": asked.seed,
        "commit": _commit(),
        "seconds": round(seconds, 1),
        "databases": {
            kind: {
                "cases": t.cases,
                **({"figures": dict(t.figures)} if t.figures else {}),
                "ends": dict(sorted(t.ends.items())),
                "broken": t.broken,
            }
            for kind, t in tallies.items()
        },
    }


def _parts(name: str, seed: int) -> list[dict[str, Any]]:
    """The parts of an unfinished run with *seed* that were kept; none where there is no such."""
    path = RESULTS / f"{name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    going_on = kept.get("status") == "unfinished" and kept.get("seed") == seed
    return list(kept["parts"]) if going_on else []


def _cases(parts: Iterable[dict[str, Any]], kind: str) -> int:
    return sum(part["databases"].get(kind, {}).get("cases", 0) for part in parts)


def _with_earlier(earlier: Sequence[dict[str, Any]], result: dict[str, Any]) -> dict[str, Any]:
    """*result* as the last of all parts, with what they come to together."""
    part = {name: result[name] for name in ("commit", "seconds", "databases")}
    parts = [*earlier, part]
    together = {
        kind: {
            "cases": _cases(parts, kind),
            **({"figures": dict(figures)} if (figures := _sum(parts, kind, "figures")) else {}),
            "ends": dict(sorted(_sum(parts, kind, "ends").items())),
            "broken": [b for p in parts for b in p["databases"].get(kind, {}).get("broken", ())],
        }
        for kind in result["databases"]
    }
    broken = any(found["broken"] for found in together.values())
    seconds = round(sum(part["seconds"] for part in parts), 1)
    status = "broken" if broken else result["status"]
    whole = {**result, "status": status, "seconds": seconds, "databases": together}
    return {**whole, "parts": parts}


def _sum(parts: Iterable[dict[str, Any]], kind: str, what: str) -> Counter[str]:
    together: Counter[str] = Counter()
    for part in parts:
        together.update(part["databases"].get(kind, {}).get(what, {}))
    return together


def _keep(name: str, result: dict[str, Any]) -> None:
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    for journal in RESULTS.glob(f"{name}.*.journal"):
        journal.unlink()


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


@contextmanager
def _ours(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="keyturn-proof-") as folder:
            yield f"sqlite:///{Path(folder) / 'proof.db'}"
    else:
        with postgres() as (_, url):
            yield url


def _databases(url: str | None, kinds: Sequence[str], held: ExitStack) -> list[tuple[str, str]]:
    """(kind, migrated address) of each database to prove on; those of our own end with *held*."""
    found = [(url.partition(":")[0], url)] if url is not None else []
    found += [(kind, held.enter_context(_ours(kind))) for kind in (() if found else kinds)]
    for _, address in found:
        migrate(address)
    return found
