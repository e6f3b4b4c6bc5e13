"""How long a command takes before it does anything: `keyturn --help` against its bare minimum.

    python -m tests.benchmarks.startup [--quick] [--json]

The minimum is a Python that imports the command line's library and nothing of ours. Both are
processes of their own, started in turn; the times are those that they had a processor, so that a
busy machine says nothing about them. The last line is one JSON object; exit 1 when the goal is
missed.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from tests.benchmarks.measuring import Goal, Report, options

CONTESTANTS = {
    "python": [sys.executable, "-c", "pass"],
    "python with typer": [sys.executable, "-c", "import typer"],
    "keyturn --help": [sys.executable, "-m", "bot", "--help"],
}


def took(command: list[str]) -> float:
    """Milliseconds of processor time until *command* has ended."""
    before = _of_children()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (_of_children() - before) * 1000


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(report: Report, rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for n in range(rounds + 1):
        for name, command in CONTESTANTS.items():
            found = took(command)
            if n:  # the first one writes what it compiles
                times[name].append(found)
    medians = {name: statistics.median(found) for name, found in times.items()}
    report.measured |= {"milliseconds": {name: round(ms, 1) for name, ms in medians.items()}}
    least = medians["python with typer"]
    report.goals.append(
        Goal("keyturn --help against python with typer", medians["keyturn --help"] / least, 1.5)
    )


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("startup", quick)
    measure(report, 15 if quick else 40)
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
