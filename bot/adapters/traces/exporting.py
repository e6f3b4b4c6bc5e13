"""Where traces go: over OTLP/HTTP, as the standard variables `OTEL_…` say.

The exporter reads those variables itself
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from __future__ import annotations

import asyncio
import logging
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from bot.adapters.traces.recorder import OtelRecorder

_PATIENCE_S = 2.0  # a collector that does not answer holds up no stop


class Exporting:
    """A recorder whose spans are sent in the background, by a thread of their own."""

    def __init__(self, *, key: bytes, version: str, role: str) -> None:
        # each try is a warning of its own; that a batch was given up is an error
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        self._exporter = _Exporter()
        named = Resource.create({SERVICE_VERSION: version, "keyturn.role": role})
        if str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: "keyturn"}))
        processor = BatchSpanProcessor(self._exporter)
        self.recorder = OtelRecorder(processor, key=key, resource=named)

    async def close(self) -> None:
        """Send what was recorded, as far as that goes quickly, and stop."""
        closing = threading.Thread(target=self.recorder.close, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _PATIENCE_S)
        self._exporter.shutdown()  # it tries no more, and nobody waits for a call that hangs


class _Exporter(OTLPSpanExporter):
    """One that may be told twice to stop: when we give up, and by whoever hands it spans."""

    _told = False

    def shutdown(self) -> None:
        """Break off the try at hand, and try no more."""
        if not self._told:
            self._told = True
            super().shutdown()  # type: ignore[no-untyped-call]
