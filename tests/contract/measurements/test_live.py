"""A rule that a real Prometheus evaluates: what it says while it fires, and afterwards.

Prometheus tells an Alertmanager of ours, which is the event that the test waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.adapters.prometheus.client import Prometheus
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.prometheus.questions import Questions, Templates
from bot.domain.naming import LabelMap
from bot.domain.verdict.incident import Metric
from bot.ports.evidence import Measured
from store.records import AppEnv
from tests.acceptance.alertmanager_world import LOOPBACK, Binaries, Program, exporter
from tests.builders import a_firing

SECOND = timedelta(seconds=1)
WHERE = AppEnv("triage", "prod")
WHOLE_S = 60.0
_RULES = """
groups:
- name: apps
  interval: 1s
  rules:
  - {alert: HighErrorRate, expr: app_error_ratio > 0.05, for: 1s, labels: {severity: page}}
"""
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms, external_labels: {{env: prod}}}}
rule_files: [rules.yml]
scrape_configs:
- {{job_name: apps, static_configs: [{{targets: ['{exporter}']}}]}}
alerting:
  alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]
"""
Sent = Mapping[str, Any]


@dataclass
class Watched:
    """`ratio` is what the exporter shows; `address` is where Prometheus listens."""

    ratio: float = 0.01
    address: str = ""
    sent: asyncio.Queue[Sent] = field(default_factory=asyncio.Queue)

    async def told(self, wanted: Callable[[Sent], bool]) -> Sent:
        """Wait until it has sent a wanted alert twice: what it told first is then stored."""
        for _ in range(2):
            while not wanted(found := await self.sent.get()):
                continue
        return found


def over(alert: Sent) -> bool:
    return datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC)


@asynccontextmanager
async def alertmanager(watched: Watched) -> AsyncIterator[str]:
    """Take alerts, as API v2 does; yields host:port."""

    async def take(request: web.Request) -> web.Response:
        for alert in await request.json():
            watched.sent.put_nowait(alert)
        return web.Response()

    application = web.Application()
    application.router.add_post("/api/v2/alerts", take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def prometheus(folder: Path) -> AsyncIterator[Watched]:
    binaries, watched = Binaries.found(), Watched()
    async with AsyncExitStack() as closing:
        scraped = await closing.enter_async_context(
            exporter(lambda: f'app_error_ratio{{app="triage"}} {watched.ratio}\n')
        )
        told = await closing.enter_async_context(alertmanager(watched))
        (folder / "rules.yml").write_text(_RULES)
        (folder / "prometheus.yml").write_text(_CONFIG.format(exporter=scraped, alertmanager=told))
        program = await closing.enter_async_context(
            Program.run(
                [
                    binaries.prometheus,
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address={LOOPBACK}:0",
                    "--rules.alert.for-grace-period=1s",
                    "--rules.alert.resend-delay=1s",
                    "--log.format=json",
                ],
                cwd=folder,
            )
        )
        watched.address = await program.address()
        yield watched


async def look(watched: Watched, alert: Sent) -> Measured:
    server = Prometheus(f"http://{watched.address}")
    asking = PrometheusLookBack(
        server,
        Questions(Templates('app_error_ratio{app="$app"}', "none", "none")),
        labels=LabelMap(sole={"triage": "prod"}),
        known=[WHERE],
        step=SECOND,
    )
    now = datetime.now(UTC)
    try:
        firing = a_firing(labels=alert["labels"], where=WHERE)
        return await asking(firing, [WHERE], since=now - timedelta(minutes=2), until=now)
    finally:
        await asking.close()


async def test_what_fires_is_told_with_its_rule_and_once_it_is_over_with_its_end(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(WHOLE_S), prometheus(tmp_path) as watched:
        watched.ratio = 0.25
        alert = await watched.told(lambda sent: not over(sent))
        during = await look(watched, alert)

        watched.ratio = 0.0
        await watched.told(over)
        after = await look(watched, alert)

    assert alert["labels"]["env"] == "prod", "a label that only Prometheus itself adds"
    assert during.waited == SECOND
    assert during.missing == {}
    assert [series.metric for series in during.series[WHERE]] == [Metric.ERRORS, Metric.ERRORS]
    assert all(0.25 in series.values for series in during.series[WHERE])
    (fires,) = during.alerts
    assert (fires.where, fires.name, fires.ends_at) == (WHERE, "HighErrorRate", None)
    assert abs(fires.starts_at - datetime.fromisoformat(alert["startsAt"])) <= 2 * SECOND
    (ended,) = after.alerts
    assert ended.starts_at == fires.starts_at
    assert ended.ends_at is not None
