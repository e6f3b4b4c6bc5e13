from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.playground.dify.server import start
from tests.contract.target.worlds import ConsoleEditor, FakeEditor, World
from tests.fakes.target import FakeTarget

REAL = tuple(
    os.environ.get(f"KEYTURN_CONTRACT_DIFY_{name}", "") for name in ("URL", "EMAIL", "PASSWORD")
)


@pytest.fixture(params=["fake", "playground", *(["real"] if all(REAL) else [])])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A target with one fresh app and its editor."""
    open_world = {"fake": _fake, "playground": _playground, "real": _real}[request.param]
    async with open_world() as opened:
        yield opened


@asynccontextmanager
async def _fake() -> AsyncIterator[World]:
    target = FakeTarget()
    editor = FakeEditor(target)
    yield World(target, editor, await editor.new_app())


@asynccontextmanager
async def _playground() -> AsyncIterator[World]:
    dify = await start()
    try:
        dify.state.add_account("alice@example.com", "Passw0rd123", role="owner")
        dify.state.add_account("bot@example.com", "B0tPassw0rd")
        async with _console(dify.url, "alice@example.com", "Passw0rd123") as editor:
            account = ("bot@example.com", "B0tPassw0rd")
            async with _target(dify.url, *account) as target:
                yield World(target, editor, await editor.new_app())
    finally:
        await dify.stop()


@asynccontextmanager
async def _real() -> AsyncIterator[World]:
    url, email, password = REAL
    async with _console(url, email, password) as editor, _target(url, email, password) as target:
        app_id = await editor.new_app()
        try:
            yield World(target, editor, app_id)
        finally:
            await editor.remove_app(app_id)


@asynccontextmanager
async def _console(url: str, email: str, password: str) -> AsyncIterator[ConsoleEditor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        editor = ConsoleEditor(http, url)
        await editor.login(email, password)
        yield editor


@asynccontextmanager
async def _target(url: str, email: str, password: str) -> AsyncIterator[DifyTarget]:
    target = DifyTarget("dify.contract", url=url, credentials=Account(email, password))
    try:
        yield target
    finally:
        await target.close()
