"""Killed at every point of an execution, with a Dify that is ill in every way:
`python -m tests.proofs.crashes [--quick]`.

Every failpoint of the code × every fault of Dify × who takes over: the same one after a restart,
or others at once, two of them on SQLite and three on PostgreSQL × whether the editors' draft has
secret values that nobody has published. However it goes: the old version is live or the new one
verified, with the secret values that were in force, one publish at most, the editors' draft as it
was, its secrets too, and the audit chain whole.
"""

from __future__ import annotations

import argparse
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from bot.playground.dify.faults import Fault
from store.audit import verify
from tests.acceptance.test_crashes import FAILPOINTS, SEALING, UNDOING
from tests.acceptance.test_dify_faults import ONCE
from tests.proofs.arena import Arena, an_arena
from tests.proofs.running import Journal, Tally, processes_on, run

HEALTHY = ("", None)
FAULTS: Sequence[tuple[str, Fault | None]] = (HEALTHY, *ONCE)
HEIRS = ("restarted", "replicas")
OTHERS = ("second", "third", "fourth")
A_LEASE_LATER_S = 60


@dataclass(frozen=True)
class Case:
    """Where the first executor dies, what Dify has, and who comes next."""

    point: str
    route: str
    fault: Fault | None
    heir: str
    secrets_typed: bool

    def __str__(self) -> str:
        secrets = " with secrets" if self.secrets_typed else ""
        return f"{self.point} {self.route}:{self.fault or 'healthy'} {self.heir}{secrets}"


CASES = [
    Case(point, *fault, heir, secrets_typed)
    for point, fault, heir, secrets_typed in product(FAILPOINTS, FAULTS, HEIRS, (False, True))
    if secrets_typed or point not in SEALING
]


def chosen(seed: int) -> list[Case]:
    """Two cases of every point, another fault, another heir and another draft each."""
    dice = random.Random(seed)
    return [
        Case(point, *dice.choice(FAULTS), heir, secrets_typed or point in SEALING)
        for point in FAILPOINTS
        for heir, secrets_typed in zip(HEIRS, dice.sample((False, True), 2), strict=True)
    ]


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
    trial = await arena.approved(secrets_typed=case.secrets_typed)
    faults = arena.state.faults
    if case.fault is not None:
        faults.add(case.route, case.fault)
    if case.point in UNDOING:
        faults.add("publish", *[Fault.REDIRECT] * 3)
    first = arena.executors[0]
    code = await first.run(arena.order(trial, "first", failpoint=f"{case.point}=kill"))
    live = arena.state.live(trial.app_id)
    broken = [] if live and live.hash in {trial.good, trial.bad} else [f"{case}: half is live"]
    if case.heir == "restarted":
        codes = [await first.run(arena.order(trial, "first", later_s=A_LEASE_LATER_S))]
    else:
        codes = await arena.run_at_once(trial, OTHERS, later_s=A_LEASE_LATER_S)
    faults.clear()
    after = await arena.rollback(trial)
    broken += [f"{case}: {what}" for what in trial.broken(after, arena.state)]
    broken += [f"{case}: an executor ended with {code}" for code in codes if code]
    died = "killed" if code == -signal.SIGKILL else f"not reached ({code})"
    return f"{died}, {after.state.value}", broken


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    return await prove(url, chosen(asked.seed) if asked.quick else CASES, journal)


if __name__ == "__main__":
    raise SystemExit(run("crashes", __doc__ or "", _prove))
