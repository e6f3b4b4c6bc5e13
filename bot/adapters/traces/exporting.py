"""Where traces go: over OTLP/HTTP, as the standard variables `OTEL_…` say.

The exporter reads those variables itself
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from __future__ import annotations

import asyncio

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from bot.adapters.traces.recorder import OtelRecorder

_FLUSH_MS = 2_000  # a collector that does not answer holds up no stop


class Exporting:
    """A recorder whose spans are sent in the background, by a thread of their own."""

    def __init__(self, *, key: bytes, version: str, role: str) -> None:
        self._exporter = OTLPSpanExporter()
        named = Resource.create({SERVICE_VERSION: version, "keyturn.role": role})
        if str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: "keyturn"}))
        processor = BatchSpanProcessor(self._exporter)
        self.recorder = OtelRecorder(processor, key=key, resource=named)

    async def close(self) -> None:
        """Send what was recorded, as far as that goes quickly, and stop."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.recorder.flush(_FLUSH_MS)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # first: it breaks off its tries, or the rest waits for them
        self.recorder.close()
