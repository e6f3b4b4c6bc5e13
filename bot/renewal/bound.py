"""Doors, workers and jobs that take the parts in force at each call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.renewal.current import Current

T = TypeVar("T")
R = TypeVar("R")


def bound(current: Current[T], call: Callable[[T], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
    """A step or job: *call* with the parts in force, which are held until it ends."""

    async def run() -> R:
        async with current.use() as parts:
            return await call(parts)

    return run


def bound_routes(
    current: Current[T], routes_of: Callable[[T], Sequence[web.RouteDef]]
) -> list[web.RouteDef]:
    """The routes of the present parts, each answered by its like of the parts in force.

    Parts that come later have the same routes: which doors there are does not change.
    """
    return [
        web.route(route.method, route.path, _answered(current, routes_of, at))
        for at, route in enumerate(routes_of(current.value))
    ]


def _answered(
    current: Current[T], routes_of: Callable[[T], Sequence[web.RouteDef]], at: int
) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        async with current.use() as parts:
            return await routes_of(parts)[at].handler(request)

    return answer
