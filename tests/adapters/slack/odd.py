"""A server that is not quite Slack: it gives one answer to everything and remembers who asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer


class OddServer:
    """`url` is an API base; `asked` holds the paths that were asked for, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.body: str | bytes = '{"ok": true}'
        self.content_type = "application/json"
        self.status = 200
        self.statuses: dict[str, int] = {}  # by path, where it is another one
        self.headers: dict[str, str] = {}

    def say(self, answer: object) -> None:
        self.body = json.dumps(answer)

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.asked.append(request.path)
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return web.Response(
            body=body,
            status=self.statuses.get(request.path, self.status),
            content_type=self.content_type,
            headers=self.headers,
        )


@asynccontextmanager
async def odd_server() -> AsyncIterator[OddServer]:
    odd = OddServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", odd.answer)
    async with TestServer(application) as running:
        odd.url = str(running.make_url("/"))
        yield odd
