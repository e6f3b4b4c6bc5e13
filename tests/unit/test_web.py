"""The HTTP application: errors become the right status, readiness tells little and truly."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp import web as aio
from aiohttp.test_utils import TestClient, TestServer

from bot import errors, web
from store.records import Missing, Stale, Unavailable

Client = TestClient[aio.Request, aio.Application]


class World:
    """What the application is built around: one route that raises, and how ready it is."""

    def __init__(self) -> None:
        self.raises: Exception | None = None
        self.found: web.Readiness | Exception = web.Readiness()
        self.hangs = False

    async def route(self, request: aio.Request) -> aio.StreamResponse:
        if self.raises:
            raise self.raises
        return aio.Response(text=(await request.read()).decode() or "fine")

    async def ready(self) -> web.Readiness:
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    application = web.build(routes=[aio.post("/door", world.route)], ready=world.ready)
    async with TestClient(TestServer(application)) as client:
        yield client


# -- Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadInput("alerts is not a list"), 400),
        (errors.NotAllowed("no"), 400),
        (errors.Unauthorised("which token it was"), 401),
        (errors.TooLarge("more than 5 bytes"), 413),
        (errors.UpstreamDown("slack", "hunter2"), 503),
        (Unavailable("hunter2"), 503),
        (Stale("hunter2"), 503),
        (Missing("hunter2"), 503),
        (RuntimeError("hunter2"), 500),
        (ValueError("hunter2"), 500),
        (aio.HTTPConflict(), 409),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_each_error_has_its_status_and_tells_no_inside(
    client: Client,
    world: World,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
) -> None:
    world.raises = error

    answer = await client.post("/door", data=b"hunter2")

    assert answer.status == status
    assert "hunter2" not in await answer.text()
    assert not [record for record in caplog.records if "hunter2" in str(vars(record))]


async def test_what_nobody_foresaw_is_logged_by_its_class_and_lines(
    client: Client, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.raises = KeyError("hunter2")

    await client.post("/door")

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    facts = vars(record)
    assert (facts["error"], facts["path"]) == ("KeyError", "/door")
    assert any("in route" in line or line.endswith("route") for line in facts["came_through"])


async def test_why_a_body_was_not_understood_is_told_to_operators_too(
    client: Client, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.raises = errors.BadInput("alerts[1].startsAt is not a time")

    await client.post("/door")

    (record,) = [one for one in caplog.records if one.message == "answered 400"]
    facts = vars(record)
    assert (facts["path"], facts["why"]) == ("/door", "alerts[1].startsAt is not a time")


async def test_every_401_is_the_same_whatever_was_wrong(client: Client, world: World) -> None:
    bodies = set()
    for cause in ("no header", "wrong token", "no token configured"):
        world.raises = errors.Unauthorised(cause)
        answer = await client.post("/door")
        bodies.add((answer.status, await answer.text(), answer.headers["WWW-Authenticate"]))

    assert len(bodies) == 1


async def test_a_body_past_the_limit_is_a_413(client: Client) -> None:
    answer = await client.post("/door", data=io.BytesIO(b"x" * (web.MAX_BODY_BYTES + 1)))

    assert answer.status == 413


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/door", 405), ("GET", "/x", 404)])
async def test_a_wrong_door_is_no_failure_of_ours(
    client: Client, method: str, path: str, status: int
) -> None:
    assert (await client.request(method, path)).status == status


@pytest.mark.parametrize("path", ["/healthz", "/door", "/nowhere"])
async def test_every_answer_carries_the_strict_headers(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "keyturn"


# -- Health and readiness -----------------------------------------------------------------------


async def test_health_depends_on_nothing(client: Client, world: World) -> None:
    world.found = web.Readiness(down=("database",))

    answer = await client.get("/healthz")

    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (web.Readiness(), 200, "ready"),
        (web.Readiness(degraded=("slack", "dify.prod")), 200, "degraded"),
        (web.Readiness(down=("worker:execute",)), 503, "down"),
        (web.Readiness(down=("schema",), degraded=("slack",)), 503, "down"),
    ],
)
async def test_only_what_is_ours_takes_the_service_out_of_the_router(
    client: Client, world: World, found: web.Readiness, status: int, word: str
) -> None:
    world.found = found

    answer = await client.get("/readyz")

    assert answer.status == status
    assert await answer.json() == {
        "status": word,
        "down": list(found.down),
        "degraded": list(found.degraded),
    }


async def test_a_lost_database_is_not_ready_rather_than_a_failure(
    client: Client, world: World
) -> None:
    world.found = Unavailable("connection refused by 10.0.0.7")

    answer = await client.get("/readyz")

    assert answer.status == 503
    assert json.loads(await answer.text())["down"] == ["database"]


async def test_a_database_that_hangs_is_not_ready_either(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "READY_WITHIN_S", 0.01)
    world.hangs = True

    assert (await client.get("/readyz")).status == 503


# -- Serving ------------------------------------------------------------------------------------


async def test_the_port_is_told_and_closed_again(world: World) -> None:
    running = await web.serve(web.build(routes=[], ready=world.ready), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{running.port}/healthz"
    async with ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200

    await running.close()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", running.port)


async def test_a_request_at_hand_is_finished_before_the_door_closes() -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def slow(_: aio.Request) -> aio.Response:
        entered.set()
        await gate.wait()
        return aio.Response(text="done")

    application = web.build(routes=[aio.get("/slow", slow)], ready=World().ready)
    running = await web.serve(application, "127.0.0.1", 0)
    async with ClientSession() as session:
        asked = asyncio.create_task(session.get(f"http://127.0.0.1:{running.port}/slow"))
        await asyncio.wait_for(entered.wait(), 20)
        closing = asyncio.create_task(running.close())
        gate.set()
        answer = await asyncio.wait_for(asked, 20)

        assert await answer.text() == "done"
        await asyncio.wait_for(closing, 20)


async def test_a_taken_port_is_the_system_error_that_it_is(world: World) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(OSError, match="address already in use"):
            await web.serve(web.build(routes=[], ready=world.ready), "127.0.0.1", port)


async def test_the_access_log_has_no_query(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    running = await web.serve(
        web.build(routes=[aio.post("/door", world.route)], ready=world.ready), "127.0.0.1", 0
    )
    async with ClientSession() as session:
        await session.post(f"http://127.0.0.1:{running.port}/door?sig=hunter2")
    await running.close()

    (record,) = [record for record in caplog.records if record.name == "bot.access"]
    assert (vars(record)["path"], vars(record)["status"]) == ("/door", 200)
    assert not [record for record in caplog.records if "hunter2" in str(vars(record))]
