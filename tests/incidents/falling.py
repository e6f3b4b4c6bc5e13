"""How the figures fall when records are worse than they were.

    python -m tests.incidents.falling FILE.jsonl[.gz] [--most N]

Each disturbance of `disturb.py` is put on every incident of the file alone, and all are decided
anew. One line each: precision, recall, top 1 and false rollbacks, with how many of what; the last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bot.domain.verdict.decide import decide
from bot.domain.verdict.recorded import read
from bot.domain.verdict.score import Score
from tests.incidents.disturb import DISTURBANCES
from tests.incidents.record import Record

SEED = 11
_AS_IT_IS = "as recorded"


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.incidents.falling", description=__doc__)
    words.add_argument("file", type=Path)
    words.add_argument("--most", type=int, default=None, help="only the first so many incidents")
    asked = words.parse_args()
    records = list(islice(_records(asked.file), asked.most))
    found: dict[str, dict[str, float | None]] = {}
    print(f"{'':24}{'precision':>16}{'recall':>16}{'top 1':>16}{'false':>16}")
    for name, disturb in {_AS_IT_IS: _same, **DISTURBANCES}.items():
        score = scored(records, disturb)
        found[name] = {figure: count.share for figure, count in score.figures()}
        told = "".join(
            f"{count.share or 0:9.3f} {f'{count.right}/{count.all}':>6}"
            for _, count in score.figures()
        )
        print(f"{name:24}{told}", flush=True)
    print(json.dumps({"file": asked.file.name, "incidents": len(records), "figures": found}))
    return 0


def scored(records: Sequence[Record], disturb: Callable[[Record, int], Record]) -> Score:
    """How decisions on *records* do after *disturb*, each with a seed of its own."""
    score = Score()
    for number, record in enumerate(records):
        one = read(json.dumps(disturb(record, SEED + number)))
        score.add(one, decide(one.incident).suggested)
    return score


def _same(record: Record, seed: int) -> Record:
    del seed
    return record


def _records(file: Path) -> Iterator[Record]:
    content = file.read_bytes()
    text = gzip.decompress(content) if file.suffix == ".gz" else content
    for line in text.splitlines():
        record: Record = json.loads(line)
        yield record


if __name__ == "__main__":
    raise SystemExit(main())
