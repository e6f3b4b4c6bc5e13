"""One trace holds the way of an incident, from the alert to verified live, whoever worked on it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from bot import spans
from bot.adapters.traces.recorder import OtelRecorder
from bot.playground.slack.people import DAVE, INCIDENTS
from store.records import AuditEntry, Rollback, State
from tests.acceptance.world import LIMIT_S, LOOPBACK, VOTERS, WHERE, World

WAY = ("intake", "take_in", "propose", "opened", "vote", "execute", "verified")


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    recorder = OtelRecorder(SimpleSpanProcessor(kept), key=b"k", resource=Resource({}))
    with spans.recording(recorder):
        yield kept
    recorder.close()


def named(found: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in found if span.name == name]


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def id_of(span: ReadableSpan) -> int:
    return context(span).span_id


def of_one_trace(found: list[ReadableSpan]) -> list[ReadableSpan]:
    """The spans of the trace that begins with the intake, in the order in which they began."""
    (first,) = named(found, "intake")
    trace = context(first).trace_id
    mine = [span for span in found if context(span).trace_id == trace]
    return sorted(mine, key=lambda span: span.start_time or 0)


async def test_one_trace_goes_from_the_alert_to_verified_live(
    world: World, exporter: InMemorySpanExporter
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        ended = await world.ended()
    assert ended.state is State.COMPLETED

    found = list(exporter.get_finished_spans())
    mine = of_one_trace(found)
    begun = [named(mine, name)[0].start_time or 0 for name in WAY]
    assert all(one <= next_one for one, next_one in pairwise(begun))
    assert len(named(mine, "vote")) == 2
    known = {id_of(span) for span in mine}
    assert all(span.parent is None or span.parent.span_id in known for span in mine)
    assert [span.name for span in mine if span.parent is None] == ["intake"]


async def test_each_call_to_dify_hangs_on_the_step_that_made_it_and_says_whose_work_it_is(
    world: World, exporter: InMemorySpanExporter
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        await world.ended()

    mine = of_one_trace(list(exporter.get_finished_spans()))
    names = {id_of(span): span.name for span in mine}
    calls = [span for span in mine if span.name == "dify.local POST"]
    steps = {names[span.parent.span_id] for span in calls if span.parent}
    assert {"execute.staging", "execute.publishing", "execute.returning"} <= steps
    trace = format(context(mine[0]).trace_id, "032x")
    (published,) = [c.trace for c in world.dify.state.faults.log if c.route == "publish"]
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-0[0-9a-f]", published)


async def test_audit_entries_name_the_trace_and_the_chain_holds(
    world: World, exporter: InMemorySpanExporter
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.go()
        await world.turn_second_key()
        ended = await world.ended()
        async with world.store.read() as tx:
            entries = await tx.audit.entries()

    mine = of_one_trace(list(exporter.get_finished_spans()))
    trace = format(context(mine[0]).trace_id, "032x")
    traces = {entry.action: entry.trace_id for entry in entries if _is_about(entry, ended)}
    named = {"case.open", "rollback.open", "rollback.present", "rollback.publish"}
    assert {action for action, of in traces.items() if of == trace} >= named
    assert re.fullmatch(rf"inbox/\d+ {trace}", traces["vote.approve"])
    assert (await world.audit()).ok


def _is_about(entry: AuditEntry, rollback: Rollback) -> bool:
    return entry.resource in {
        f"rollback/{rollback.id}",
        f"case/{rollback.case_id}",
        f"app/{rollback.leg.where}",
    }


async def test_what_a_person_asks_for_is_a_trace_that_begins_with_the_request(
    world: World, exporter: InMemorySpanExporter
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        await world.slack.driver.command(DAVE, INCIDENTS, "/rollback", f"to {WHERE} 5")
        await world.card()
        async with world.store.read() as tx:
            entries = await tx.audit.entries()

    found = list(exporter.get_finished_spans())
    (request,) = named(found, "request")
    (judge,) = named(found, "judge")
    assert request.parent is None
    assert [link.context.trace_id for link in request.links] == [context(judge).trace_id]
    trace = format(context(request).trace_id, "032x")
    (opened,) = [entry for entry in entries if entry.action == "rollback.open"]
    assert opened.trace_id.split()[-1] == trace


async def test_spans_hold_nothing_of_alerts_and_prompts(
    world: World, exporter: InMemorySpanExporter
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here():
        await world.read_history()
        world.break_it()
        await world.fire(customer="an-unspeakable-label")
        for voter in VOTERS:
            await world.turn_key(voter)
        await world.ended()

    told = " ".join(span.to_json() for span in exporter.get_finished_spans())
    prompt = str(world.live.graph["nodes"][1])[:400]
    assert "an-unspeakable-label" not in told
    assert not [word for word in world.secrets.values() if word in told]
    assert not [line for line in prompt.split("'") if len(line) > 40 and line in told]
    assert "unspeakable" in str(world.alert), "the label was there to be told"


# -- by several processes ---------------------------------------------------------------------


@dataclass
class Collector:
    """What takes traces over OTLP/HTTP: spans by name, with the process that sent them."""

    url: str = ""
    spans: list[tuple[str, str, str]] = field(default_factory=list)  # name, trace, instance
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_process in sent.resource_spans:
            facts = {a.key: a.value.string_value for a in of_process.resource.attributes}
            self.spans += [
                (span.name, span.trace_id.hex(), facts["service.instance.id"])
                for scope in of_process.scope_spans
                for span in scope.spans
            ]
        self._came.set()
        return web.Response(content_type="application/x-protobuf")

    async def has(self, name: str) -> None:
        while not any(found == name for found, _, _ in self.spans):
            self._came.clear()
            await self._came.wait()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    application = web.Application()
    application.add_routes([web.post("/v1/traces", made.take)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    made.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def sending_to(collector: Collector, instance: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={instance}",
    }


async def test_what_another_process_goes_on_with_is_in_the_same_trace(
    world: World, collector: Collector
) -> None:
    async with asyncio.timeout(3 * LIMIT_S):
        first = await world.serve(**sending_to(collector, "first"))
        await world.go()
        await collector.has("vote")
        await first.kill()
        second = await world.serve(**sending_to(collector, "second"))
        await world.turn_second_key()
        assert (await world.ended()).state is State.COMPLETED
        assert await second.stop() == 0

    (trace,) = {trace for name, trace, _ in collector.spans if name == "intake"}
    by = {(name, who) for name, of, who in collector.spans if of == trace}
    assert {("take_in", "first"), ("propose", "first"), ("vote", "first")} <= by
    assert {("vote", "second"), ("execute", "second"), ("verified", "second")} <= by
    lines = [json.loads(line) for line in second.lines]
    (ended,) = [line for line in lines if line["message"] == "rollback ended"]
    assert ended["trace_id"] == trace


async def test_a_collector_that_is_not_there_holds_up_neither_the_job_nor_the_stop(
    world: World,
) -> None:
    nobody = Collector(url=f"http://{LOOPBACK}:9")
    async with asyncio.timeout(3 * LIMIT_S):
        served = await world.serve(**sending_to(nobody, "alone"))
        await world.go()
        await world.turn_second_key()
        assert (await world.ended()).state is State.COMPLETED
        assert await served.stop() == 0
