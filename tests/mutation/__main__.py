"""Do the quick tests notice a small mistake? Each is planted alone, and one test has to fail.

    python -m tests.mutation [MODULE …] [--quick] [--keep] [--only PATTERN] [--folder DIR]

The modules are those of `modules.py`. What no test noticed is printed with the line that was
changed and with why it may be so (`explained.toml`), or that nobody has said why. The last line
is one JSON object; exit 1 when a module's score is below the goal. Mutants that mypy refuses are
not played and do not count: they would never get as far as a test. `--quick` plays a fixed part,
`--keep` writes the result into `results`, `--only` plays the mutants whose names are like a
pattern of the shell (`*[147]` is about a third, the same each time; `*lease*keep*` a function),
and `--folder` keeps mutmut's own files: a run that finds them plays again only what survived
there and what is new.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.mutation import running
from tests.mutation.modules import MODULES, QUICK, Module

GOAL = 90.0  # percent of the mutants
RESULTS = Path(__file__).with_name("results")
_EXPLAINED = Path(__file__).with_name("explained.toml")
_IN_FULL = frozenset({"module", "commit", "timeouts", "survivors"})
Change = tuple[str, str, str]  # function, the lines as they are, the lines as the mutant has them


@dataclass(frozen=True)
class Survivor:
    """A mistake that no test noticed; `why` is "" as long as nobody has said why it may be."""

    mutant: str
    outcome: str
    was: str
    now: str
    why: str

    def __str__(self) -> str:
        said = self.why or "NOT EXPLAINED"
        return f"{self.mutant} ({self.outcome})\n  - {self.was}\n  + {self.now}\n  {said}"


def main() -> int:
    asked = _asked()
    modules = {"quick": QUICK} if asked.quick else {n: MODULES[n] for n in asked.modules}
    with _folder(asked.folder) as folder:
        results = {
            name: _result(name, module, folder / name, only=asked.only, keep=asked.keep)
            for name, module in modules.items()
        }
    below = [name for name, result in results.items() if result["score"] < GOAL]
    summary = {
        "status": "below" if below else "reached",
        "goal": GOAL,
        "quick": asked.quick,
        "below": below,
        "modules": {
            name: {k: v for k, v in result.items() if k not in _IN_FULL}
            for name, result in results.items()
        },
    }
    print(json.dumps(summary))
    return 1 if below else 0


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    words.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    words.add_argument("--quick", action="store_true", help="a fixed part of the mutants")
    words.add_argument("--keep", action="store_true", help="write the results where they are kept")
    words.add_argument("--only", metavar="PATTERN", default="", help="mutants with such names")
    words.add_argument("--folder", type=Path, help="where mutmut's files stay for the next run")
    asked = words.parse_args()
    if unknown := set(asked.modules) - set(MODULES):
        words.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    asked.modules = asked.modules or list(MODULES)
    return asked


def _result(name: str, module: Module, folder: Path, *, only: str, keep: bool) -> dict[str, Any]:
    began = time.monotonic()
    running.copied(folder, module)
    known = running.outcomes(folder)
    again = [mutant for mutant, out in known.items() if _due(mutant, out, only=only)]
    if again:
        running.play(folder, again)
    if not (known and only):  # what is named is played again, whatever became of it
        running.play(folder, (only,) if only else module.sample)
    result = result_in(folder, name, only=only, seconds=time.monotonic() - began)
    print(
        f"{name}: {result['score']} % of {result['mutants']} in {result['seconds']} s", flush=True
    )
    if keep and not module.sample:
        text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    return result


def result_in(folder: Path, name: str, *, only: str, seconds: float) -> dict[str, Any]:
    """What was played in *folder* came to; *seconds* are those since it was last asked."""
    outcomes = _played(folder)
    survivors = list(_survivors(folder, outcomes))
    for survivor in survivors:
        print(survivor)
    count = Counter(outcomes.values())
    played = len(outcomes) - count[running.NO_PROGRAM]
    return {
        "module": name,
        "commit": running.commit(),
        "only": only,
        "seconds": _spent(folder, seconds),
        "refused_by_types": count[running.NO_PROGRAM],
        "not_played": len(running.outcomes(folder)) - len(outcomes),
        "mutants": played,
        "killed": count["killed"],
        "timeout": count["timeout"],
        "timeouts": sorted(mutant for mutant, out in outcomes.items() if out == "timeout"),
        "survived": len(survivors),
        "unexplained": sum(not survivor.why for survivor in survivors),
        "score": round(100 * (1 - len(survivors) / max(played, 1)), 1),
        "survivors": [vars(survivor) for survivor in survivors],
    }


def _spent(folder: Path, seconds: float) -> float:
    """The seconds of this run and of those before it in the same folder."""
    before = folder / "seconds.txt"
    if before.exists():
        seconds += float(before.read_text())
    before.write_text(str(seconds))
    return round(seconds, 1)


def _played(folder: Path) -> dict[str, str]:
    every = running.outcomes(folder)
    return {mutant: out for mutant, out in every.items() if out != running.NOT_PLAYED}


def _due(mutant: str, outcome: str, *, only: str) -> bool:
    """Whether it is played in a folder that knows it: it survived, or is *only* and still new."""
    if outcome == running.NOT_PLAYED:
        return fnmatchcase(mutant, only)
    return not _caught(outcome)


def _caught(outcome: str) -> bool:
    return outcome in running.CAUGHT


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """A folder with one for each module, which share what mypy remembers."""
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="keyturn-mutants-") as folder:
        yield Path(folder)


def _survivors(folder: Path, outcomes: Mapping[str, str]) -> Iterator[Survivor]:
    explained = _explained()
    for mutant, outcome in sorted(outcomes.items()):
        if not _caught(outcome):
            was, now = running.change(folder, mutant)
            why = explained.get((_function(mutant), was, now), "")
            yield Survivor(mutant, outcome, was, now, why)


def _function(mutant: str) -> str:
    """`bot.domain.quorum.reached` of `bot.domain.quorum.x_reached__mutmut_3`."""
    module, _, name = mutant.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{name.removeprefix('x').removeprefix('_').replace('ǁ', '.').strip('.')}"


def _explained() -> dict[Change, str]:
    found = tomllib.loads(_EXPLAINED.read_text(encoding="utf-8"))
    return {(m["of"], m["was"], m["now"]): m["why"] for m in found.get("mutant", [])}


if __name__ == "__main__":
    sys.exit(main())
