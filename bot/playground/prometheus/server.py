"""A Prometheus that obeys the real one's rules for the few queries that the demo and the tests ask.

It knows selectors, `max by (…) (selector)` and `1 - (selector)`; what else comes is refused as the
real one refuses what it cannot parse.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MOST_POINTS = 11_000
STALE_S = 30.0  # the tests' real one is started with it as --query.lookback-delta
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
_SELECTOR = re.compile(
    rf"(?P<name>[A-Za-z_:][\w:]*)(?:\{{(?P<matchers>(?:{_MATCHER.pattern},?)*)\}})?", re.ASCII
)
_MAX_BY = re.compile(r"max by \(([\w, ]*)\) \((.*)\)", re.ASCII | re.DOTALL)
_REST = re.compile(r"1 - \((.*)\)", re.DOTALL)
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Samples:
    """One series: its labels with `__name__`, and what was scraped when (seconds since 1970)."""

    labels: Mapping[str, str]
    values: Mapping[float, float]

    def at(self, moment: float) -> float | None:
        """The newest sample that is not stale at *moment*."""
        fresh = [t for t in self.values if moment - STALE_S <= t <= moment]
        return self.values[max(fresh)] if fresh else None


class BadData(Exception):
    """What the real one answers 400 to."""


@dataclass
class LocalPrometheus:
    """`asked` are the requests that came, each with its `Authorization`.

    Set `fault` and it answers every request, or only those in whose path and query `faulty` stands.
    """

    samples: Sequence[Samples] = ()
    rules: Sequence[Mapping[str, Any]] = ()
    fault: Fault | None = None
    faulty: str = ""
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def here(self) -> AsyncIterator[LocalPrometheus]:
        """Listen on loopback until the block ends."""
        app = web.Application()
        app.router.add_post("/api/v1/query_range", self._query_range)
        app.router.add_get("/api/v1/rules", self._rules)
        app.router.add_get("/api/v1/status/buildinfo", self._build)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    async def _query_range(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if fault := self._noted(request, form):
            return await fault(request)
        try:
            return _success({"resultType": "matrix", "result": self._matrix(form)})
        except BadData as error:
            answer = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return web.json_response(answer, status=400)

    async def _rules(self, request: web.Request) -> web.StreamResponse:
        if fault := self._noted(request, dict(request.query)):
            return await fault(request)
        return _success({"groups": [{"name": "apps", "rules": list(self.rules)}]})

    async def _build(self, request: web.Request) -> web.StreamResponse:
        fault = self._noted(request, {})
        return await fault(request) if fault else _success({"version": "2.42.0"})

    def _noted(self, request: web.Request, said: dict[str, str]) -> Fault | None:
        self.asked.append((request.path, said, request.headers.get("Authorization", "")))
        return self.fault if self.faulty in f"{request.path} {said.get('query', '')}" else None

    def _matrix(self, form: Mapping[str, str]) -> list[dict[str, Any]]:
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        if end < start:
            raise BadData('invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise BadData('invalid parameter "step": zero or negative query resolution step width')
        if (end - start) / step > MOST_POINTS:
            raise BadData("exceeded maximum resolution of 11,000 points per timeseries")
        moments = [start + n * step for n in range(int((end - start) // step) + 1)]
        found = []
        for labels, values in self._series(form["query"], moments):
            there = [
                [t, _written(v)] for t, v in zip(moments, values, strict=True) if v is not None
            ]
            if there:
                found.append({"metric": labels, "values": there})
        return found

    def _series(
        self, query: str, moments: Sequence[float]
    ) -> list[tuple[dict[str, str], list[float | None]]]:
        if whole := _MAX_BY.fullmatch(query):
            return _greatest(whole[1].split(", "), self._series(whole[2], moments))
        if whole := _REST.fullmatch(query):
            return [
                (_nameless(labels), [None if v is None else 1 - v for v in values])
                for labels, values in self._series(whole[1], moments)
            ]
        whole = _SELECTOR.fullmatch(query)
        if whole is None:
            raise BadData("1:1: parse error: the local one does not know this query")
        matchers = _MATCHER.findall(whole["matchers"] or "")
        wanted = [("__name__", "=", f'"{whole["name"]}"'), *matchers]
        return [
            (dict(one.labels), [one.at(t) for t in moments])
            for one in self.samples
            if all(_matches(one.labels.get(name, ""), *rest) for name, *rest in wanted)
        ]


def _success(data: Mapping[str, Any]) -> web.Response:
    return web.json_response({"status": "success", "data": data})


def _matches(value: str, operator: str, quoted: str) -> bool:
    wanted = ast.literal_eval(quoted)
    equal = value == wanted if operator in {"=", "!="} else bool(re.fullmatch(wanted, value))
    return equal if operator in {"=", "=~"} else not equal


def _greatest(
    names: Sequence[str], series: Sequence[tuple[dict[str, str], list[float | None]]]
) -> list[tuple[dict[str, str], list[float | None]]]:
    groups: dict[tuple[tuple[str, str], ...], list[list[float | None]]] = {}
    for labels, values in series:
        key = tuple((name, labels[name]) for name in names if name in labels)
        groups.setdefault(key, []).append(values)
    return [
        (dict(key), [max((v for v in at if v is not None), default=None) for at in zip(*rows)])  # noqa: B905
        for key, rows in groups.items()
    ]


def _nameless(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "__name__"}


def _written(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
