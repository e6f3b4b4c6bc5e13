"""What a collector of traces is told of our calls: no address that lets in whoever knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import ClientConnectionError, ClientSession
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot import spans
from bot.adapters.traces import calls
from bot.adapters.traces.recorder import OtelRecorder

NOBODY = "http://127.0.0.1:9"
SLACK = f"{NOBODY}/api/"
NOT_TOLD = "(not told)"


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    recorder = OtelRecorder(SimpleSpanProcessor(exporter), key=b"k", resource=Resource({}))
    with spans.recording(recorder):
        yield exporter


async def told(kept: InMemorySpanExporter, system: str, url: str, *, at: str = "") -> str:
    """Which path the span of a call to *url* has, in all that is exported of it."""
    with spans.span("work", of=spans.case(1)):
        async with ClientSession(trace_configs=[calls.trace(system, at=at)]) as http:
            with pytest.raises(ClientConnectionError):
                await http.post(url)
    call = next(one for one in kept.get_finished_spans() if one.name == f"{system} POST")
    assert "s3cr3t" not in call.to_json()
    return str((call.attributes or {})["url.path"])


@pytest.mark.parametrize(
    ("system", "url"),
    [
        ("events.hook", f"{NOBODY}/hooks/T0/s3cr3t"),
        ("events.hook", f"{NOBODY}/api/s3cr3t"),
        ("anchor_url", f"{NOBODY}/api/s3cr3t"),
        ("slack", f"{NOBODY}/commands/T0/1/s3cr3t"),
        ("slack", f"{NOBODY}/api/hooks/T0/s3cr3t"),
        ("slack", "http://127.0.0.1:10/api/s3cr3t.answer"),
        ("one that came later", f"{NOBODY}/api/s3cr3t"),
    ],
)
async def test_an_address_that_lets_in_is_not_told(
    kept: InMemorySpanExporter, system: str, url: str
) -> None:
    assert await told(kept, system, url, at=SLACK) == NOT_TOLD


async def test_of_slack_nothing_is_told_where_its_methods_are_not_known_to_be(
    kept: InMemorySpanExporter,
) -> None:
    assert await told(kept, "slack", f"{SLACK}s3cr3t.answer") == NOT_TOLD


@pytest.mark.parametrize(
    ("system", "path"),
    [
        ("slack", "/api/chat.postMessage"),
        ("slack", "/api/apps.connections.open"),
        ("dify.prod", "/console/api/apps"),
        ("prometheus", "/prometheus/api/v1/query_range"),
        ("alertmanager", "/api/v2/alerts"),
    ],
)
async def test_what_is_asked_of_an_api_is_told_without_its_query(
    kept: InMemorySpanExporter, system: str, path: str
) -> None:
    assert await told(kept, system, f"{NOBODY}{path}?token=s3cr3t", at=SLACK) == path
