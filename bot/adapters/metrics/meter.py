"""What this process did since it started, counted where it happens."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import cache
from types import SimpleNamespace
from typing import Final

from aiohttp import ClientSession, TraceConfig, web
from aiohttp.typedefs import Handler
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from store.records import Delivery, FiringStatus

_ELSEWHERE: Final = "other"  # no door of ours: strangers choose paths, so they are not told apart
_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Meter:
    """The metrics of one process, in a registry of their own.

    Labels come from what we have named: doors, outside systems, statuses. Nothing that somebody
    outside writes becomes one.
    """

    def __init__(self, *, version: str, role: str) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        build = Gauge(
            "keyturn_build_info",
            "The release that runs, and what this process does.",
            ("version", "role"),
            registry=self.registry,
        )
        build.labels(version, role).set(1)
        self._requests = Histogram(
            "keyturn_http_request_seconds",
            "Requests that came in, by door and status.",
            ("method", "door", "status"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._calls = Histogram(
            "keyturn_outside_call_seconds",
            "Requests that we sent to other systems, until the head of the answer; by outcome: "
            "the status's class, `limited` for 429, `failed` without an answer.",
            ("system", "method", "outcome"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._alerts = Counter(
            "keyturn_alerts_received",
            "Alerts in webhooks that were stored, repeats too.",
            ("source", "status"),
            registry=self.registry,
        )
        unknown = Counter(
            "keyturn_alerts_unknown",
            "Those of them that name no watched app: they open no case.",
            ("source",),
            registry=self.registry,
        )

        # looking a child up by its labels takes longer than counting in it
        self._answered = cache(self._requests.labels)
        self._received = cache(self._alerts.labels)
        self._unknown = cache(unknown.labels)

    def received(
        self, take_in: Callable[[Delivery], Awaitable[None]]
    ) -> Callable[[Delivery], Awaitable[None]]:
        """*take_in*, with the alerts counted that it has stored."""

        async def counted(delivery: Delivery) -> None:
            await take_in(delivery)
            alerts = delivery.firings
            over = len([one for one in alerts if one.status is FiringStatus.RESOLVED])
            for status, number in (("firing", len(alerts) - over), ("resolved", over)):
                if number:
                    self._received(delivery.source, status).inc(number)
            if unnamed := [one for one in alerts if one.where is None]:
                self._unknown(delivery.source).inc(len(unnamed))

        return counted

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Measure each request: one that is answered by raising, too."""
        began, status = time.perf_counter(), 500
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            status = answer.status
            raise
        else:
            status = response.status
            return response
        finally:
            seconds = time.perf_counter() - began
            self._answered(_method(request.method), _door(request), status).observe(seconds)

    def trace(self, system: str) -> TraceConfig:
        """What measures each request of a client session to *system*."""

        async def begin(_: ClientSession, call: SimpleNamespace, __: object) -> None:
            call.began = time.perf_counter()

        def end(call: SimpleNamespace, method: str, outcome: str) -> None:
            seconds = time.perf_counter() - call.began
            self._calls.labels(system, _method(method), outcome).observe(seconds)

        async def answered(_: ClientSession, call: SimpleNamespace, said: object) -> None:
            end(call, said.method, _outcome(said.response.status))  # type: ignore[attr-defined]

        async def failed(_: ClientSession, call: SimpleNamespace, said: object) -> None:
            end(call, said.method, "failed")  # type: ignore[attr-defined]

        config = TraceConfig()
        config.on_request_start.append(begin)
        config.on_request_end.append(answered)
        config.on_request_exception.append(failed)
        return config


def _door(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return _ELSEWHERE if resource is None else resource.canonical


def _method(method: str) -> str:
    """Methods are words that a stranger may choose."""
    return method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"} else _ELSEWHERE


def _outcome(status: int) -> str:
    return "limited" if status == 429 else f"{status // 100}xx"
