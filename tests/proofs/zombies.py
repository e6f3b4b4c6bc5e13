"""Stopped right before a write and awake again when all is over:
`python -m tests.proofs.zombies [--quick]`.

The first executor is stopped (SIGSTOP) at each point before a write, its lease runs out, another
replica finishes (on PostgreSQL two race for it), a person saves or publishes, and the first one
goes on (SIGCONT). Its own clock has gone on meanwhile, as after a stop, or has stood still, as of a
machine that was paused: then it cannot know. Whatever it still does: what nobody approved is never
reported as a success. A publish that gets through is noticed when the history is read next, and
people are called.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from bot.playground.story.workflow import graph
from store.audit import verify
from store.records import Rollback, State
from tests.acceptance.test_crashes import SEALING, failpoints
from tests.proofs.arena import GOOD, ROOT, Arena, Trial, an_arena
from tests.proofs.crashes import A_LEASE_LATER_S, OTHERS
from tests.proofs.running import Journal, Tally, processes_on, run

POINTS = [
    point
    for part in ("execute", "dify")
    for point in failpoints(ROOT / "bot", part)
    if "before_" in point and "read_back" not in point and point not in SEALING
]
DEEDS = ("nothing", "save", "publish")
CLOCKS = ("went on", "stood still")
ROUNDS = 6
LEASE_S = 1.5
UNSEEN = replace(GOOD, model="gpt-4o-mini", top_k=11)  # what nobody has reviewed


@dataclass(frozen=True)
class Case:
    """Where the first one is stopped, and what a person does meanwhile."""

    point: str
    deed: str
    clock: str
    round: int = 0

    def __str__(self) -> str:
        return f"{self.point}, {self.deed}, its clock {self.clock}, {self.round}"


CASES = [Case(*case) for case in product(POINTS, DEEDS, CLOCKS, range(ROUNDS))]


def chosen(seed: int) -> list[Case]:
    """Each point with each deed once."""
    dice = random.Random(seed)
    return [Case(point, deed, dice.choice(CLOCKS)) for point, deed in product(POINTS, DEEDS)]


async def prove(database_url: str, cases: Sequence[Case], journal: Journal) -> Tally:
    """Play *cases* on the migrated database at *database_url*."""
    tally = Tally()
    async with an_arena(database_url, executors=processes_on(database_url)) as arena:
        for case in cases:
            tally.add(*await journal.once(str(case), partial(_play, arena, case)))
        if not (await verify(arena.store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


async def _play(arena: Arena, case: Case) -> tuple[str, list[str]]:
    trial = await arena.approved()
    first, *others = arena.executors
    lease_s = LEASE_S if case.clock == "went on" else 30.0
    stopped = {"failpoint": f"{case.point}=stop", "lease_s": lease_s}
    await first.begin(arena.order(trial, "first", **stopped))
    said = await first.hear()
    lease_over = asyncio.get_running_loop().time() + LEASE_S  # at the latest: it was renewed before
    if "stopped" not in said:
        return "not reached", [f"{case}: it was not stopped but ended with {said['ended']}"]
    codes = await arena.run_at_once(trial, OTHERS, who=others, later_s=A_LEASE_LATER_S)
    if case.clock == "went on":
        await asyncio.sleep(lease_over - asyncio.get_running_loop().time())
    before = await arena.rollback(trial)
    _do(arena, trial, case.deed)
    os.kill(first.pid, signal.SIGCONT)
    ended = (await first.hear())["ended"]
    await arena.snapshot(trial)
    after = await arena.rollback(trial)
    late = await arena.said_of(trial, "rollback.late_publish")
    broken = [f"{case}: {what}" for what in _broken(arena, trial, after, late)]
    broken += [f"{case}: an executor ended with {n}" for n in (*codes, ended) if n]
    if late and case.clock == "went on":
        broken.append(f"{case}: a publish came late though its lease was over by its own clock")
    if before.state is not after.state:
        broken.append(f"{case}: it had ended as {before.state} and is {after.state} now")
    how = "a late publish was noticed" if late else "nothing came late"
    return f"{after.state.value}, {how}", broken


def _do(arena: Arena, trial: Trial, deed: str) -> None:
    state = arena.state
    if deed == "nothing":
        return
    state.save_draft_as_editor(trial.app_id, graph=graph(UNSEEN), by="carol")
    if deed == "publish":
        state.publish(state.app(trial.app_id), by=state.account("carol"))


def _broken(arena: Arena, trial: Trial, after: Rollback, late: int) -> list[str]:
    """What nobody approved is live under our name and nobody was told, or was told a success."""
    ours = trial.published(after, arena.state)
    unseen = [version for version in ours if version.hash != trial.good]
    called = late or after.state is State.NEEDS_ATTENTION
    verified = [version for version in ours if version.id == after.execution.published_id]
    promises = {
        f"{len(unseen)} publishes of ours hold what nobody approved, and nobody was called": not (
            unseen and not called
        ),
        "it was reported as a success without having been one": after.state is not State.COMPLETED
        or (len(verified) == 1 and verified[0].hash == trial.good),
        "a late publish was said that was none": not late or len(ours) > 1,
    }
    return [what for what, held in promises.items() if not held]


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    return await prove(url, chosen(asked.seed) if asked.quick else CASES, journal)


if __name__ == "__main__":
    raise SystemExit(run("zombies", __doc__ or "", _prove))
