"""Traces of this process, where somebody wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from bot import spans
from bot.assembly.keys import TRACES, derive
from bot.assembly.process import Role
from bot.config.settings import Settings


@asynccontextmanager
async def traced(settings: Settings, role: Role) -> AsyncIterator[None]:
    """Record what happens inside and send it; without `OTEL_…` settings nothing is imported."""
    if not settings.traces:
        yield
        return
    from bot.adapters.traces.exporting import Exporting

    key = next(iter(derive(settings.secret_keys, TRACES)), b"")
    exporting = Exporting(key=key, version=version("keyturn"), role=role.value)
    try:
        with spans.recording(exporting.recorder):
            yield
    finally:
        await exporting.close()
