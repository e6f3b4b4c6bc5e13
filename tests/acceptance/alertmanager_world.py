"""A real Prometheus and a real Alertmanager on loopback, watching one metric of the test's own.

Debian's programs (prometheus 2.42, prometheus-alertmanager 0.25) with files of the test's own.
Each takes any free port and says which; each is ended by its own process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

LOOPBACK = "127.0.0.1"
START_S, STOP_S = 60.0, 30.0
ALERT = "HighErrorRate"

_RULES = """
groups:
- name: apps
  interval: 1s
  rules:
  - alert: {alert}
    expr: app_error_ratio > 0.05
    for: 2s
    labels: {{severity: critical}}
    annotations: {{summary: 'Error ratio {{{{ $value | humanizePercentage }}}} for {{{{ $labels.app }}}}'}}
"""  # noqa: E501
_PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s, external_labels: {{cluster: loopback}}}}
rule_files: [rules.yml]
scrape_configs:
- {{job_name: apps, static_configs: [{{targets: ['{exporter}']}}]}}
alerting:
  alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]
"""  # noqa: E501
_ALERTMANAGER = """
global: {{resolve_timeout: 20s}}
route: {{receiver: keyturn, group_by: [alertname, app, env], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: keyturn
  webhook_configs:
  - url: '{webhook}'
    send_resolved: true
    max_alerts: {most}
    http_config: {{authorization: {{type: Bearer, credentials_file: webhook_token}}}}
"""  # noqa: E501


@dataclass(frozen=True)
class Binaries:
    """Where the two programs are installed."""

    prometheus: str
    alertmanager: str

    @classmethod
    def found(cls) -> Binaries:
        """Look for them in PATH; skips the test when one is not there."""
        return cls(
            prometheus=_binary("prometheus"),
            alertmanager=_binary("prometheus-alertmanager", "alertmanager"),
        )


def _binary(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no program called {' or '.join(names)} is installed")
    return found


@dataclass
class Program:
    """A started program that logs JSON lines to stderr; `address` is where it listens."""

    name: str
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _address: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @classmethod
    @asynccontextmanager
    async def run(cls, command: Sequence[str], *, cwd: Path) -> AsyncIterator[Program]:
        """Run *command* in *cwd* until the block ends."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        program = cls(Path(command[0]).name, process)
        reading = asyncio.create_task(program._read())
        try:
            yield program
        finally:
            await program._end()
            await reading

    async def address(self) -> str:
        """Wait until it listens; return host:port.

        Raises:
            AssertionError: It ended instead; the text is what it said.
        """
        async with asyncio.timeout(START_S):
            return await asyncio.shield(self._address)

    async def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self.lines.append(line)
            address = _address_in(line)
            if address and not self._address.done():
                self._address.set_result(address)
        if not self._address.done():
            self._address.set_exception(AssertionError(f"{self.name}: {self.lines[-10:]}"))
            self._address.exception()  # seen: nobody may be waiting for it any more


def _address_in(line: str) -> str | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    listens = isinstance(said, dict) and said.get("msg") == "Listening on"
    return str(said["address"]) if listens else None


@dataclass
class Monitoring:
    """Prometheus scrapes `ratio`; above five per cent for two seconds the alert fires."""

    ratio: float = 0.01
    alertmanager: str = ""

    async def fingerprints(self) -> list[str]:
        """The fingerprints of the alerts that Alertmanager has now, by its API v2."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.get(f"http://{self.alertmanager}/api/v2/alerts") as response,
        ):
            response.raise_for_status()
            return [str(alert["fingerprint"]) for alert in await response.json()]


@asynccontextmanager
async def monitoring(
    binaries: Binaries, folder: Path, *, app: str, env: str, webhook: str, token: str
) -> AsyncIterator[Monitoring]:
    """Run both programs; *webhook* gets the alerts of *app* in *env*, with *token* as bearer."""
    watched = Monitoring()
    (folder / "rules.yml").write_text(_RULES.format(alert=ALERT))
    async with AsyncExitStack() as closing:
        watched.alertmanager = await closing.enter_async_context(
            alerting(binaries, folder, webhook=webhook, token=token)
        )
        scraped = await closing.enter_async_context(
            exporter(lambda: f'app_error_ratio{{app="{app}",env="{env}"}} {watched.ratio}\n')
        )
        (folder / "prometheus.yml").write_text(
            _PROMETHEUS.format(exporter=scraped, alertmanager=watched.alertmanager)
        )
        watching = await closing.enter_async_context(
            Program.run(
                [
                    binaries.prometheus,
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=prometheus",
                    f"--web.listen-address={LOOPBACK}:0",
                    "--rules.alert.for-grace-period=1s",
                    "--rules.alert.resend-delay=1s",
                    "--log.format=json",
                ],
                cwd=folder,
            )
        )
        await watching.address()
        yield watched


@asynccontextmanager
async def alerting(
    binaries: Binaries, folder: Path, *, webhook: str, token: str, most: int = 0, port: int = 0
) -> AsyncIterator[str]:
    """Run Alertmanager; *webhook* gets what it is told, with *token* as bearer. Its host:port.

    A webhook carries at most *most* alerts of a group; 0 carries all. It listens at *port*, or at
    any that is free.
    """
    (folder / "webhook_token").write_text(token)
    (folder / "alertmanager.yml").write_text(_ALERTMANAGER.format(webhook=webhook, most=most))
    command = [
        binaries.alertmanager,
        "--config.file=alertmanager.yml",
        "--storage.path=alertmanager",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--cluster.listen-address=",  # no gossip: it would open a port to all
        "--log.format=json",
    ]
    async with Program.run(command, cwd=folder) as program:
        yield await program.address()


async def post_alerts(address: str, labels: Sequence[Mapping[str, str]]) -> None:
    """Let alerts with these labels fire in the Alertmanager at *address*, from now on."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
        session.post(
            f"http://{address}/api/v2/alerts", json=[{"labels": dict(one)} for one in labels]
        ) as response,
    ):
        response.raise_for_status()


@asynccontextmanager
async def exporter(text: Callable[[], str]) -> AsyncIterator[str]:
    """Serve *text* under /metrics; yields host:port."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
