"""People who come and go while others vote and executors die:
`python -m tests.proofs.membership [--quick] [--steps N]`.

Hypothesis draws what happens, in any order and in the middle of each other; see
`membership_machine`. However it goes: nothing is executed without a quorum of people who could vote
when it was opened, when they clicked, and when it was executed. On SQLite alone: what is proved is
the services' order, not the database's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from functools import partial
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.engine import make_url

from tests.proofs.membership_machine import Seen, a_machine
from tests.proofs.running import Ended, Journal, Tally, run

STEPS, QUICK_STEPS = 50_000, 1_500
LENGTH = 50  # steps of one example
BATCH = 10  # examples that are drawn from one seed, and are one line of the journal


def play(template: Path, number: int, *, examples: int = BATCH, shrink: bool = True) -> Seen:
    """Let hypothesis draw *examples* from the seed *number* and play them; return what it saw.

    Raises:
        AssertionError: A promise broke; its notes say by which way, the shortest with *shrink*.
    """
    seen = Seen()
    playing = settings(
        max_examples=examples,
        stateful_step_count=LENGTH,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, *([Phase.shrink] if shrink else [])),
        suppress_health_check=list(HealthCheck),
    )
    machine = seed(number)(a_machine(template, seen))
    run_state_machine_as_test(machine, settings=playing)  # type: ignore[arg-type]
    return seen


async def prove(template: Path, steps: int, first_seed: int, journal: Journal) -> Tally:
    """Play batches until at least *steps* were taken; each batch has a seed of its own."""
    tally = Tally()
    for number in count(first_seed * 1_000_000):
        if tally.cases >= steps or tally.broken:
            return tally
        end, broken = await journal.once(f"seed {number}", partial(_play, template, number))
        happened = json.loads(end)
        tally.cases += happened.pop("steps")
        tally.ends.update(happened)
        tally.broken += broken
    raise AssertionError("there is always one more seed")


async def _play(template: Path, number: int) -> Ended:
    try:
        seen = await asyncio.to_thread(play, template, number)
    except AssertionError as error:
        way = "\n".join(getattr(error, "__notes__", ()))
        return json.dumps({"steps": 0}), [f"seed {number}: {error}\n{way}"]
    return json.dumps({"steps": seen.steps, **seen.happened}), []


def _words(words: argparse.ArgumentParser) -> None:
    words.add_argument(
        "--steps", type=int, help=f"how many; {STEPS}, or {QUICK_STEPS} in a quick run"
    )


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    logging.disable(logging.CRITICAL)
    steps = asked.steps or (QUICK_STEPS if asked.quick else STEPS)
    return await prove(Path(make_url(url).database or ""), steps, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("membership", __doc__ or "", _prove, words=_words, kinds=("sqlite",)))
