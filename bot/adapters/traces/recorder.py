"""Traces by OpenTelemetry. Only this module and `exporting` import it, and only when it is wanted.

A trace's ids are derived from a key and from what it is of, so that whichever process works on a
case adds to the same trace, also after a restart (docs/decisions/0044).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bot.spans import Fact

_HERE: ContextVar[trace.Span | None] = ContextVar("span", default=None)
_FORCED: ContextVar[SpanContext | None] = ContextVar("forced", default=None)
_PROPAGATOR = TraceContextTextMapPropagator()


class _Ids(RandomIdGenerator):
    """Ids by chance, except for the first span of a trace of ours."""

    def generate_trace_id(self) -> int:
        forced = _FORCED.get()
        return forced.trace_id if forced is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        forced = _FORCED.get()
        return forced.span_id if forced is not None else super().generate_span_id()


class OtelSpan:
    """One span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return trace.format_span_id(self._span.get_span_context().span_id)

    def add(self, **facts: Fact) -> None:
        """Say more about it."""
        self._span.set_attributes(_named(facts))

    def fail(self, why: str) -> None:
        """Say that it failed; see `bot.spans.Span`."""
        self._span.set_attribute("error.type", why)
        self._span.set_status(StatusCode.ERROR)

    def headers(self) -> Mapping[str, str]:
        """The header `traceparent`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, context=trace.set_span_in_context(self._span, Context()))
        return carrier

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let what is begun inside be a part of it."""
        token = _HERE.set(self._span)
        try:
            yield
        finally:
            _HERE.reset(token)

    def end(self) -> None:
        """It is over."""
        self._span.end()


class OtelRecorder:
    """Takes spans down for whoever *processor* hands them to."""

    def __init__(self, processor: SpanProcessor, *, key: bytes, resource: Resource) -> None:
        """Take where spans go.

        The same *key* derives the same ids: all processes of an installation have it.
        """
        self._key = key
        self._provider = TracerProvider(
            id_generator=_Ids(), resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("keyturn")

    def start(
        self,
        name: str,
        *,
        of: str,
        first: bool,
        began: datetime | None,
        causes: Sequence[str],
        call: bool,
        facts: Mapping[str, Fact],
    ) -> OtelSpan | None:
        """Begin a span; see `bot.spans.span`."""
        here = _HERE.get()
        if not of and here is None:
            return None
        head = self._head(of) if of else None
        links = [Link(self._head(cause)) for cause in causes]
        if head is not None and here is not None:
            cause = here.get_span_context()
            if cause.trace_id != head.trace_id:
                links.append(Link(cause))
        # the context is never OpenTelemetry's own: what another library records is not ours
        parent = here if head is None or _same(here, head) else NonRecordingSpan(head)
        context = trace.set_span_in_context(parent, Context()) if parent else Context()
        token = _FORCED.set(head if first else None)
        try:
            span = self._tracer.start_span(
                name,
                context=Context() if first else context,
                kind=SpanKind.CLIENT if call else SpanKind.INTERNAL,
                links=links,
                attributes=_named(facts),
                start_time=None if began is None else int(began.timestamp() * 1e9),
            )
        finally:
            _FORCED.reset(token)
        return OtelSpan(span)

    def current(self) -> OtelSpan | None:
        """The span whose work goes on here."""
        here = _HERE.get()
        return OtelSpan(here) if here is not None else None

    def close(self) -> None:
        """Hand over what is left, and stop. Blocks."""
        self._provider.shutdown()

    def _head(self, of: str) -> SpanContext:
        """The first span of the trace that *of* names, whoever recorded it."""
        digest = hashlib.sha256(self._key + b"\n" + of.encode()).digest()
        trace_id = int.from_bytes(digest[:16]) or 1
        decision = self._provider.sampler.should_sample(Context(), trace_id, of).decision
        sampled = decision is Decision.RECORD_AND_SAMPLE
        return SpanContext(
            trace_id=trace_id,
            span_id=int.from_bytes(digest[16:24]) or 1,
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT),
        )


def _same(here: trace.Span | None, head: SpanContext) -> bool:
    return here is not None and here.get_span_context().trace_id == head.trace_id


def _named(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Facts of ours under our name; those with a point in theirs are OpenTelemetry's words."""
    plain = {key: str(fact) if isinstance(fact, str) else fact for key, fact in facts.items()}
    return {key if "." in key else f"keyturn.{key}": fact for key, fact in plain.items()}
