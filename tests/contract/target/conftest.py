from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.adapters.dify.era import Era
from bot.playground.dify.releases import RELEASES, Release
from bot.playground.dify.server import start
from bot.playground.dify.state import DifyState
from tests.contract.target.worlds import ConsoleEditor, FakeEditor, PlaygroundEditor, World
from tests.fakes.target import FakeTarget

REAL = tuple(
    os.environ.get(f"KEYTURN_CONTRACT_DIFY_{name}", "") for name in ("URL", "EMAIL", "PASSWORD")
)


PLAYGROUND = "playground "
PATIENCE = aiohttp.ClientTimeout(total=60)  # nothing here is about time; others use the machine
MODELS = {"langgenius/openai/openai": {"gpt-4o"}}
FAKES = ("fake", "fake that hides old secrets")


@pytest.fixture(
    params=[*FAKES, *(PLAYGROUND + version for version in RELEASES), *(["real"] * all(REAL))]
)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A target with one fresh app and its editor."""
    name = str(request.param)
    if name.startswith(PLAYGROUND):
        opening = _playground(RELEASES[name.removeprefix(PLAYGROUND)])
    else:
        opening = _real() if name == "real" else _fake(hides_old_secrets=name != "fake")
    async with opening as opened:
        yield opened


@asynccontextmanager
async def _fake(*, hides_old_secrets: bool) -> AsyncIterator[World]:
    target = FakeTarget(hides_old_secrets=hides_old_secrets)
    editor = FakeEditor(target)
    app_id = await editor.new_app()
    yield World(target, editor, app_id, draft_secrets_only=hides_old_secrets)


@asynccontextmanager
async def _playground(release: Release) -> AsyncIterator[World]:
    dify = await start(state=DifyState.of(release.version, models=MODELS))
    try:
        dify.state.add_account("alice@example.com", "Passw0rd123", role="owner")
        dify.state.add_account("bot@example.com", "B0tPassw0rd")
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            _target(dify.url, "bot@example.com", "B0tPassw0rd") as target,
        ):
            editor = PlaygroundEditor(http, dify.url)
            editor.state = dify.state
            await editor.login("alice@example.com", "Passw0rd123")
            yield World(
                target,
                editor,
                await editor.new_app(),
                draft_secrets_only=not release.exports_versions,
                token_covers_features=release.hash_covers_features,
            )
    finally:
        await dify.stop()


@asynccontextmanager
async def _real() -> AsyncIterator[World]:
    url, email, password = REAL
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        _target(url, email, password) as target,
    ):
        editor = ConsoleEditor(http, url)
        era = Era.named(await editor.login(email, password))
        app_id = await editor.new_app()
        try:
            yield World(
                target,
                editor,
                app_id,
                draft_secrets_only=not era.exports_versions,
                token_covers_features=era.token_covers_features,
            )
        finally:
            await editor.remove_app(app_id)


@asynccontextmanager
async def _target(url: str, email: str, password: str) -> AsyncIterator[DifyTarget]:
    account = Account(email, password)
    target = DifyTarget("dify.contract", url=url, credentials=account, timeout=PATIENCE)
    try:
        yield target
    finally:
        await target.close()
