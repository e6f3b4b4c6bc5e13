"""The local Slack speaks Socket Mode: tickets, hello, envelopes until they are acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack import server
from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.sockets import MOST_LINKS
from tests.adapters.playground_slack.conftest import SECRET, TOKEN

APP_TOKEN = "xapp-1-playground"
LIMIT_S = 10.0


@pytest.fixture
async def slack() -> AsyncIterator[RunningSlack]:
    running = await server.start(signing_secret=SECRET, bot_token=TOKEN, app_token=APP_TOKEN)
    yield running
    await running.stop()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


async def address(client: AsyncWebClient) -> str:
    answer = await client.apps_connections_open(app_token=APP_TOKEN)
    return str(answer["url"])


async def link(client: AsyncWebClient, session: ClientSession) -> ClientWebSocketResponse:
    """A connection that has been greeted."""
    socket = await session.ws_connect(await address(client))
    assert (await said(socket))["type"] == "hello"
    return socket


async def said(socket: ClientWebSocketResponse) -> dict[str, Any]:
    found: dict[str, Any] = await socket.receive_json(timeout=LIMIT_S)
    return found


async def test_the_client_library_connects_and_acknowledges(
    slack: RunningSlack, session: ClientSession
) -> None:
    web = AsyncWebClient(base_url=slack.url, session=session)
    app = SocketModeClient(app_token=APP_TOKEN, web_client=web)

    async def answer(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        assert (request.type, request.payload["text"]) == ("slash_commands", "status")
        response = SocketModeResponse(request.envelope_id, {"text": "fine"})
        await client.send_socket_mode_response(response)

    app.socket_mode_request_listeners.append(answer)
    await app.connect()  # type: ignore[no-untyped-call]  # slack_sdk's own
    try:
        await slack.state.until(lambda s: s.sockets.links)
        answered = await slack.driver.command(ALICE, INCIDENTS, "/rollback", "status")
    finally:
        await app.close()  # type: ignore[no-untyped-call]  # slack_sdk's own

    assert answered.ok
    assert slack.state.ephemerals_to(ALICE)[-1].text == "fine"
    assert slack.state.sockets.complaints == []


@pytest.mark.parametrize(
    ("token", "error"), [(TOKEN, "not_allowed_token_type"), ("xapp-2-other", "invalid_auth")]
)
async def test_only_the_apps_own_token_opens_a_connection(
    client: AsyncWebClient, token: str, error: str
) -> None:
    with pytest.raises(SlackApiError, match=error):
        await client.apps_connections_open(app_token=token)


async def test_a_ticket_opens_one_connection(
    client: AsyncWebClient, session: ClientSession
) -> None:
    url = await address(client)
    await session.ws_connect(url)

    with pytest.raises(WSServerHandshakeError):
        await session.ws_connect(url)


async def test_an_envelope_that_nobody_acknowledged_comes_again_with_its_id_elsewhere(
    slack: RunningSlack, client: AsyncWebClient, session: ClientSession
) -> None:
    one = await link(client, session)
    command = asyncio.create_task(slack.driver.command(ALICE, INCIDENTS, "/rollback", "help"))
    first = await said(one)
    two = await link(client, session)
    await one.close()
    again = await said(two)
    await two.send_json({"envelope_id": again["envelope_id"]})

    assert again == first
    assert (await command).ok


async def test_each_envelope_goes_to_one_connection(
    slack: RunningSlack, client: AsyncWebClient, session: ClientSession
) -> None:
    sockets = [await link(client, session) for _ in range(2)]
    got: list[int] = []

    async def serve(number: int) -> None:
        async for message in sockets[number]:
            got.append(number)
            await sockets[number].send_json(
                {"envelope_id": json.loads(message.data)["envelope_id"]}
            )

    serving = [asyncio.create_task(serve(number)) for number in range(2)]
    for _ in range(4):
        assert (await slack.driver.open_home(ALICE)).ok
    for socket in sockets:
        await socket.close()
    await asyncio.gather(*serving)

    assert sorted(got) == [0, 0, 1, 1]


async def test_a_tenth_connection_is_the_last(
    client: AsyncWebClient, session: ClientSession
) -> None:
    held = [await link(client, session) for _ in range(MOST_LINKS)]
    more = await session.ws_connect(await address(client))

    assert (await said(more))["reason"] == "too_many_websockets"
    assert (await more.receive(timeout=LIMIT_S)).type is WSMsgType.CLOSE
    assert not any(socket.closed for socket in held)


async def test_without_a_connection_the_person_learns_it_at_once(slack: RunningSlack) -> None:
    assert (await slack.driver.command(ALICE, INCIDENTS, "/rollback", "help")).status == 0
    assert slack.state.troubles[-1].user == ALICE


@pytest.mark.parametrize("text", ["no JSON", '{"type": "pong"}', '{"envelope_id": "unknown"}'])
async def test_what_the_protocol_does_not_know_is_a_complaint(
    slack: RunningSlack, client: AsyncWebClient, session: ClientSession, text: str
) -> None:
    socket = await link(client, session)
    await socket.send_str(text)

    assert len(await slack.state.until(lambda s: s.sockets.complaints)) == 1
