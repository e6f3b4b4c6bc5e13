"""Write labelled incidents, one JSON object a line.

    python -m tests.incidents --count 300 --seed 7 [--mix natural|hard] --out FILE.jsonl[.gz]

They are simulated from causes: requests arrive, wait, call other apps and fail; people publish;
Prometheus scrapes and its rules fire. `natural` has innocent changes near the onset by chance
only, `hard` in most incidents. The last line is one JSON object with the counts by kind.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.incidents.generating import generate
from tests.incidents.kinds import Mix


def main() -> int:
    asked = _asked()
    began = time.perf_counter()
    kinds: Counter[str] = Counter()
    to_roll_back = 0
    with _opened(asked.out) as out:
        for record in generate(asked.count, asked.seed, Mix(asked.mix)):
            out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            kinds[record["kind"]] += 1
            to_roll_back += record["truth"]["target_version"] is not None
            _progress(kinds.total(), asked.count)
    summary = {
        "status": "written",
        "out": str(asked.out),
        "mix": asked.mix,
        "seed": asked.seed,
        "count": kinds.total(),
        "to_roll_back": to_roll_back,
        "seconds": round(time.perf_counter() - began, 1),
        "kinds": dict(sorted(kinds.items())),
    }
    print(json.dumps(summary))
    return 0


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.incidents", description=__doc__)
    words.add_argument("--count", type=int, default=300)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--mix", choices=[str(mix) for mix in Mix], default=str(Mix.NATURAL))
    words.add_argument("--out", type=Path, required=True)
    return words.parse_args()


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """Open for text; a name that ends in .gz is packed, with the same bytes each time."""
    if path.suffix != ".gz":
        with path.open("w", encoding="utf-8") as plain:
            yield plain
        return
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as text,
    ):
        yield text


def _progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{count}", end="\n" if done == count else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
