"""How the benchmarks measure: rounds of all contestants in turn, medians, ratios against goals.

What is compared runs in the same process, the same minute, on the same data; so a ratio holds
where an absolute time would not.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """A ratio that has to hold: at most, or at least, *bound*."""

    name: str
    ratio: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        word = "ok    " if self.met else "MISSED"
        return f"{word} {self.name}: {self.ratio:.3g} (goal {sign} {self.bound:g})"


def milliseconds(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, float]:
    """Return each one's median time in ms over *rounds*, after one round to warm up.

    All run in turn in each round, so that a slow second of the machine meets everybody.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for n in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if n:
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


@dataclass
class Report:
    """What a benchmark found; `finish` prints it and ends the process."""

    name: str
    quick: bool
    measured: dict[str, object] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def finish(self, *, as_json: bool) -> None:
        """Print goals (to stderr with *as_json*) and one JSON object; exit 1 on a missed one."""
        out = sys.stderr if as_json else sys.stdout
        for goal in self.goals:
            print(goal, file=out)
        for why in self.left_out:
            print(f"left out: {why}", file=out)
        print(json.dumps(self._summary()))
        sys.exit(0 if all(goal.met for goal in self.goals) else 1)

    def _summary(self) -> dict[str, object]:
        return {
            "benchmark": self.name,
            "quick": self.quick,
            "measured": self.measured,
            "ratios": {goal.name: round(goal.ratio, 4) for goal in self.goals},
            "missed": [goal.name for goal in self.goals if not goal.met],
            "left_out": self.left_out,
        }


def options(arguments: Sequence[str]) -> tuple[bool, bool]:
    """Read `--quick` and `--json`; anything else ends with how to use it."""
    unknown = set(arguments) - {"--quick", "--json"}
    if unknown:
        print(f"unknown: {' '.join(sorted(unknown))}; there are --quick and --json")
        sys.exit(2)
    return "--quick" in arguments, "--json" in arguments
