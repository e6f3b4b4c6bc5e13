"""alerta as a peer of intake: gunicorn, two workers of eight threads, PostgreSQL.

It is installed apart from Keyturn, since its dependencies are others:

    python -m venv alerta && alerta/bin/pip install alerta-server gunicorn psycopg2-binary
    KEYTURN_BENCH_ALERTA=alerta/bin/python python -m tests.benchmarks.intake

It takes the same webhook bodies, stores each alert once and correlates it; it keeps no deliveries.
As it is shipped: with the plugins that look at each alert (reject, blackout, heartbeat and so on).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.benchmarks.doors import LOOPBACK, free_port, running

PATH = "/webhooks/prometheus"


def python() -> str:
    """The Python that has alerta; "" without one."""
    return os.environ.get("KEYTURN_BENCH_ALERTA", "")


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run it on the empty database at *url*; yields its port and the process of gunicorn."""
    port = free_port()
    settings = folder / "alertad.conf"
    settings.write_text("AUTH_REQUIRED = False\nSECRET_KEY = 'benchmark'\n")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATABASE_URL": url,
        "ALERTA_SVR_CONF_FILE": str(settings),
    }
    await _make_schema(env, folder)
    command = (python(), "-m", "gunicorn", "alerta:create_app()", "--bind", f"{LOOPBACK}:{port}")
    workers = ("--workers", "2", "--threads", "8", "--log-level", "error")
    async with running(*command, *workers, port=port, env=env, cwd=folder) as process:
        yield port, process.pid


async def _make_schema(env: Mapping[str, str], folder: Path) -> None:
    """Two workers that start on an empty database both make it, and now and then one fails."""
    once = (python(), "-c", "import alerta; alerta.create_app()")
    process = await asyncio.create_subprocess_exec(*once, cwd=folder, env=dict(env))
    assert await process.wait() == 0, "alerta's schema could not be made"
