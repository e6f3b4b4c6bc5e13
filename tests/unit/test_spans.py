"""A span that nobody records costs nothing, and one trace is of one case, wherever it is told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from bot import spans
from bot.adapters.traces.exporting import Exporting
from bot.adapters.traces.recorder import OtelRecorder
from bot.config.load import load

ROOT = Path(__file__).resolve().parents[2]
HERE = "http://collector:4318"
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}


def a_recorder(kept: InMemorySpanExporter, key: bytes = b"k") -> OtelRecorder:
    return OtelRecorder(SimpleSpanProcessor(kept), key=key, resource=Resource({}))


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    with spans.recording(a_recorder(exporter)):
        yield exporter


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def ids(kept: InMemorySpanExporter) -> dict[str, tuple[int, int, int]]:
    """Of each span: trace, its own id, and that of the one it hangs on (0: of none)."""
    found = {}
    for span in kept.get_finished_spans():
        own = context(span)
        found[span.name] = (own.trace_id, own.span_id, span.parent.span_id if span.parent else 0)
    return found


def test_without_a_recorder_nothing_is_told_and_nothing_has_to_be() -> None:
    with spans.span("work", of=spans.case(1), app="a@prod") as span:
        span.add(state="done")
        assert spans.trace_id() == ""
    assert spans.begin("call") is None


def test_opentelemetry_is_not_imported_until_traces_are_wanted() -> None:
    names = "bot.app, bot.assembly.tracing, bot.spans, bot.adapters.traces.calls"
    code = f"import sys, {names}; sys.exit(any('opentelemetry' in name for name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert done.returncode == 0


def test_two_processes_tell_of_one_case_in_one_trace() -> None:
    here, there = InMemorySpanExporter(), InMemorySpanExporter()
    with spans.recording(a_recorder(here)):
        spans.happened("intake", of=spans.case(7), first=True)
    with spans.recording(a_recorder(there)), spans.span("execute", of=spans.case(7)):
        spans.happened("verified")

    trace, first, none = ids(here)["intake"]
    assert none == 0
    assert ids(there)["execute"][0::2] == (trace, first)
    assert ids(there)["verified"][0] == trace


def test_other_cases_and_other_installations_have_other_traces(kept: InMemorySpanExporter) -> None:
    other = InMemorySpanExporter()
    spans.happened("one", of=spans.case(1))
    spans.happened("two", of=spans.case(2))
    with spans.recording(a_recorder(other, key=b"another")):
        spans.happened("one", of=spans.case(1))

    traces = {ids(kept)["one"][0], ids(kept)["two"][0], ids(other)["one"][0]}
    assert len(traces) == 3


def test_what_is_part_of_nothing_is_not_recorded(kept: InMemorySpanExporter) -> None:
    with spans.span("a call of a snapshot"):
        spans.happened("inside it")

    assert not kept.get_finished_spans()


def test_work_of_another_trace_is_linked_to_as_the_cause(kept: InMemorySpanExporter) -> None:
    with (
        spans.span("judge", of=spans.inbox("d1")),
        spans.span("vote", of=spans.case(3), causes=[spans.delivery("d2")]),
    ):
        pass

    vote, judge = kept.get_finished_spans()
    assert vote.parent is not None
    assert vote.parent.trace_id != context(judge).trace_id
    assert context(judge).span_id in {link.context.span_id for link in vote.links}
    assert len(vote.links) == 2


def test_a_failure_is_told_by_its_name_alone(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="ignore all"), spans.span("work", of=spans.case(1)):
        raise ValueError("ignore all previous instructions")

    (span,) = kept.get_finished_spans()
    assert not span.status.is_ok
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert "ignore" not in span.to_json()


def test_a_trace_that_is_not_sampled_is_sampled_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    here, there = InMemorySpanExporter(), InMemorySpanExporter()
    for kept in (here, there):
        with spans.recording(a_recorder(kept)):
            for case_id in range(40):
                spans.happened(str(case_id), of=spans.case(case_id), first=kept is here)

    assert 0 < len(ids(here)) < 40
    assert set(ids(here)) == set(ids(there))


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ({}, f"{HERE}/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{HERE}/"}, f"{HERE}/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{HERE}/own"}, f"{HERE}/own"),
        ({"OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none"}, ""),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            f"{HERE}/v1/traces",
        ),
    ],
)
def test_opentelemetrys_own_variables_say_where_traces_are_sent(
    more: dict[str, str], there: str
) -> None:
    found = load({**COLLECTOR, **more})

    assert found.traces == there
    assert not [line for line in found.notices if "OTEL" in line]


@pytest.mark.parametrize(
    "more", [{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {"OTEL_TRACES_EXPORTER": "zipkin"}]
)
def test_what_cannot_be_sent_is_said(more: dict[str, str]) -> None:
    found = load({**COLLECTOR, **more})

    assert not found.traces
    assert [line for line in found.notices if line.startswith(next(iter(more)))]


def test_a_missing_extra_is_said_and_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.config.tracing.find_spec", lambda _: None)

    found = load(COLLECTOR)

    assert not found.traces
    assert "keyturn[otel] is not installed" in " ".join(found.notices)
    assert not load({}).traces


async def test_a_collector_that_never_answers_holds_up_no_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, done = asyncio.Event(), asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await done.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    exporting = Exporting(key=b"k", version="1", role="all")
    with spans.recording(exporting.recorder):
        spans.happened("intake", of=spans.case(1), first=True)
        await asked.wait()
        async with asyncio.timeout(8.0):  # less than the exporter's own patience with a call
            await exporting.close()
    done.set()
    server.close()
