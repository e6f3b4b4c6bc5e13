"""From the second click to verified live, against the time of Dify's own calls.

    python -m tests.benchmarks.execution [--quick] [--json]

The real service on SQLite, with the local Slack and the local Dify, which takes a given time for
each call. Rollbacks go back and forth between two versions while an editor's work lies in the
draft. Measured is from the moment at which the second click leaves Slack until the database says
that live was read back; what Dify took is the time in it during which a call was on its way, as
our client saw it (several at once count once, so this is never more than the sum of the calls).
The last line is one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from bot.adapters.dify.transport import Answer, Request, Transport
from bot.playground.dify.server import ROUTES
from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.workflow import APP
from store.records import Rollback, State
from store.session import migrate
from tests.acceptance.world import VOTERS, WHERE, World, a_world
from tests.benchmarks.measuring import Goal, Report, options

SLOW_S, USUAL_S = 0.5, 0.1  # a call of a Dify that is slow, and of a usual one
MOST_OF_SUM = 1.25
MOST_S = 10.0
LIMIT_S = 120.0


@dataclass(frozen=True)
class Call:
    """One exchange with Dify, in seconds since the epoch."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Sample:
    """One rollback: how long it took from the second click, and how long Dify's calls did."""

    total_s: float
    calls: tuple[Call, ...]

    @property
    def dify_s(self) -> float:
        """How long there was a call on its way: those at the same time count once."""
        spent, until = 0.0, 0.0
        for call in sorted(self.calls, key=lambda call: call.began):
            spent += max(call.ended - max(call.began, until), 0.0)
            until = max(until, call.ended)
        return spent

    @property
    def ratio(self) -> float:
        return self.total_s / self.dify_s

    @property
    def ours_s(self) -> float:
        return self.total_s - self.dify_s


@contextmanager
def noted_calls() -> Iterator[list[Call]]:
    """Note each exchange with Dify inside."""
    calls: list[Call] = []
    exchange = Transport.exchange

    async def noting(self: Transport, request: Request, headers: Mapping[str, str]) -> Answer:
        began = time.time()
        try:
            return await exchange(self, request, headers)
        finally:
            calls.append(Call(f"{request.method} {_below_app(request)}", began, time.time()))

    Transport.exchange = noting  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        Transport.exchange = exchange  # type: ignore[method-assign]


def _below_app(request: Request) -> str:
    return "/".join(request.path.split("/")[3:]) or request.path


def slow_down(world: World, seconds: float) -> None:
    """Let every call of Dify take *seconds* from now on."""
    faults = world.dify.state.faults
    faults.clear()
    for name, *_ in ROUTES:
        faults.before(name, partial(asyncio.sleep, seconds), always=True)


async def measure(report: Report, folder: Path) -> None:
    url = f"sqlite:///{folder / 'keyturn.db'}"
    await asyncio.to_thread(migrate, url)
    counts = {SLOW_S: 3 if report.quick else 20, USUAL_S: 6 if report.quick else 40}
    async with a_world(folder, url) as world:
        with noted_calls() as calls:
            async with world.here(KEYTURN_EXECUTION_LEASE="30s"):
                await world.read_history()
                good = len(world.dify.state.versions(APP))
                seed.publish_bad(world.dify.state)
                seed.leave_work_unpublished(world.dify.state)
                numbers = [good, good + 1]
                for seconds, count in counts.items():
                    slow_down(world, seconds)
                    samples = []
                    for n in range(count + 1):
                        sample = await rolled_back(world, calls, numbers[n % 2])
                        samples += [sample] if n else []  # the first one warms up
                    tell(report, seconds, samples)
                    if count % 2 == 0:
                        numbers.reverse()


async def rolled_back(world: World, calls: list[Call], number: int) -> Sample:
    """Ask for a rollback to version *number*, approve it twice, and wait for what comes of it."""
    slack = world.slack
    words = f"to {WHERE} {number} to see how long it takes"
    async with asyncio.timeout(LIMIT_S):
        assert (await slack.driver.command(people.DAVE, people.INCIDENTS, "/rollback", words)).ok
        await world.turn_key(VOTERS[0])
        await world.until(partial(_newest, world, votes=1))
        clicked = time.time()
        await world.turn_second_key()
        ended = await world.until(partial(_newest, world, ended=True))
        await world.until(partial(_told, world))
    verified = ended.execution.verified_at
    assert ended.state is State.COMPLETED, ended.outcome
    assert verified is not None
    until = verified.timestamp()
    within = tuple(call for call in calls if call.began >= clicked and call.ended <= until)
    return Sample(until - clicked, within)


async def _newest(world: World, *, votes: int = 0, ended: bool = False) -> Rollback | None:
    async with world.store.read() as tx:
        newest = (await tx.rollbacks.newest(limit=1))[0]
    return newest if len(newest.votes) >= votes and not (ended and newest.open) else None


async def _told(world: World) -> bool:
    async with world.store.read() as tx:
        return not await tx.outbox.waiting()


def tell(report: Report, seconds: float, samples: list[Sample]) -> None:
    """Put into *report* what came of a Dify that needs *seconds* for each call."""
    ratio = _p95([sample.ratio for sample in samples])
    total = _p95([sample.total_s for sample in samples])
    ms = f"{seconds * 1000:g} ms a call"
    report.measured[ms] = {
        "rollbacks": len(samples),
        "calls until verified": [len(sample.calls) for sample in samples][-1],
        "seconds, median": round(statistics.median(s.total_s for s in samples), 3),
        "seconds, p95": round(total, 3),
        "seconds of Dify's calls, median": round(statistics.median(s.dify_s for s in samples), 3),
        "our own seconds, median": round(statistics.median(s.ours_s for s in samples), 3),
        "our own seconds, p95": round(_p95([sample.ours_s for sample in samples]), 3),
    }
    report.goals.append(Goal(f"click to verified against Dify's calls, {ms}", ratio, MOST_OF_SUM))
    if seconds == SLOW_S:
        report.goals.append(Goal(f"seconds from click to verified, {ms}", total, MOST_S))


def _p95(values: list[float]) -> float:
    """The value that 95 of a hundred do not exceed; the largest one of a few."""
    return sorted(values)[min(int(len(values) * 0.95), len(values) - 1)]


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    logging.disable(logging.WARNING)
    report = Report("execution", quick)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(report, Path(folder)))
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
