"""A service that is measured: what users met for two hours, and a real Prometheus that knows it.

Counters are a function of time, so that what Prometheus is given of the past and what it scrapes
then are one series.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.alertmanager_world import LOOPBACK, Binaries, Program, exporter
from tests.acceptance.world import WHERE

PAST = timedelta(hours=2)
EVERY = timedelta(seconds=5)  # between two samples of the past
LE = (0.5, 1.0, 2.0, 4.0)  # bounds of the histogram, seconds
ERRORS, LATENCY = "HighErrorRate", "HighLatencyP95"
_PLACE = f'app="{WHERE.app}",env="{WHERE.env}"'

# What keyturn.toml asks. A window of half a minute, so that a story needs no minutes.
QUERIES = {
    "errors": 'sum(rate(app_failures_total{app="$app",env="$env"}[30s])) '
    '/ sum(rate(app_requests_total{app="$app",env="$env"}[30s]))',
    "latency": "histogram_quantile(0.95, sum by (le) "
    '(rate(app_seconds_bucket{app="$app",env="$env"}[30s])))',
    "load": 'sum(rate(app_requests_total{app="$app",env="$env"}[30s]))',
}
_RULES = f"""
groups:
- name: apps
  interval: 1s
  rules:
  - alert: {ERRORS}
    expr: |
      sum by (app, env) (rate(app_failures_total[30s]))
        / sum by (app, env) (rate(app_requests_total[30s])) > 0.05
    for: 3s
  - alert: {LATENCY}
    expr: histogram_quantile(0.95, sum by (app, env, le) (rate(app_seconds_bucket[30s]))) > 2
    for: 3s
"""
_PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
- {{job_name: apps, honor_labels: true, static_configs: [{{targets: ['{exporter}']}}]}}
alerting:
  alertmanagers: [{{file_sd_configs: [{{files: [alertmanagers.json]}}]}}]
"""
_LABELS = 'instance="a",job="apps"'  # as a scrape has them: the past is the same series


@dataclass(frozen=True)
class Traffic:
    """What users do and meet from `since` on: requests a second, the share that fails, seconds."""

    since: datetime
    rate: float = 20.0
    failing: float = 0.01
    takes: float = 0.3


@dataclass
class Users:
    """The traffic of one app, piece by piece."""

    pieces: list[Traffic] = field(default_factory=list)

    def samples(self, at: datetime) -> Mapping[str, int]:
        """Every series with what its counter stands at."""
        requests = failures = 0.0
        took = dict.fromkeys((*LE, float("inf")), 0.0)
        for piece, seconds in self._lasted(at):
            requests += piece.rate * seconds
            failures += piece.rate * piece.failing * seconds
            for bound in took:
                took[bound] += piece.rate * seconds * (piece.takes <= bound)
        named = {
            f'app_seconds_bucket{{{_PLACE},{_LABELS},le="{_bound(bound)}"}}': int(count)
            for bound, count in took.items()
        }
        return {
            f"app_requests_total{{{_PLACE},{_LABELS}}}": int(requests),
            f"app_failures_total{{{_PLACE},{_LABELS}}}": int(failures),
            **named,
        }

    def _lasted(self, at: datetime) -> Iterator[tuple[Traffic, float]]:
        ends = [*(piece.since for piece in self.pieces[1:]), at]
        for piece, end in zip(self.pieces, ends, strict=True):
            yield piece, max((min(end, at) - piece.since).total_seconds(), 0.0)

    def exported(self) -> str:
        """What a scrape gets now."""
        return "".join(f"{name} {n}\n" for name, n in self.samples(_now()).items())

    def past(self, until: datetime) -> str:
        """OpenMetrics of everything up to *until*; the newest sample is older than that."""
        since = self.pieces[0].since
        count = (until - since) // EVERY
        moments = [since + n * EVERY for n in range(count)]
        taken = [(moment.timestamp(), self.samples(moment)) for moment in moments]
        lines = [f"{name} {told[name]} {at:.3f}" for name in taken[0][1] for at, told in taken]
        return "\n".join([*lines, "# EOF", ""])


def _bound(le: float) -> str:
    return "+Inf" if le == float("inf") else str(le)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Measuring:
    """A Prometheus that scrapes and judges; it has nobody to tell until `tells` is called."""

    folder: Path
    address: str

    def tells(self, alertmanager: str) -> None:
        """Let it send its alerts to *alertmanager*, host:port."""
        said = self.folder / "alertmanagers.new"
        said.write_text(json.dumps([{"targets": [alertmanager]}]))
        said.replace(self.folder / "alertmanagers.json")


@asynccontextmanager
async def measuring(binaries: Binaries, folder: Path, users: Users) -> AsyncIterator[Measuring]:
    """Run Prometheus on the past of *users*, and let it scrape what they do now."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no program called promtool is installed")
    (folder / "rules.yml").write_text(_RULES)
    (folder / "alertmanagers.json").write_text("[]")
    async with AsyncExitStack() as closing:
        scraped = await closing.enter_async_context(exporter(users.exported))
        (folder / "prometheus.yml").write_text(_PROMETHEUS.format(exporter=scraped))
        (folder / "past.txt").write_text(users.past(_now()))
        blocks = ("tsdb", "create-blocks-from", "openmetrics", "past.txt", "prometheus")
        await _run([promtool, *blocks], cwd=folder)
        command = [
            binaries.prometheus,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus",
            f"--web.listen-address={LOOPBACK}:0",
            "--rules.alert.for-grace-period=1s",
            "--rules.alert.resend-delay=1s",
            "--log.format=json",
        ]
        program = await closing.enter_async_context(Program.run(command, cwd=folder))
        yield Measuring(folder, await program.address())


async def _run(command: Sequence[str], *, cwd: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=pipe, stderr=pipe)
    said = await process.communicate()
    assert process.returncode == 0, said
