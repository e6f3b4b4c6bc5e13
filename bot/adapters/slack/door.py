"""Our own door in front of Bolt: nothing is parsed, logged or handled before it is verified.

Bolt parses bodies before it verifies them, answers 500 to unsigned rubbish, takes the payloads
of any workspace, and lets an unsigned header change its dispatch. So this comes first: size,
header shape, HMAC over the raw bytes (https://docs.slack.dev/authentication/verifying-requests-from-slack),
time window, form, workspace. A replay inside the window is a row that the inbox has already.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.adapters.slack import wire
from bot.adapters.slack.listeners import ENVELOPE, Envelope
from bot.errors import BadInput, TooLarge, Unauthorised
from bot.ports.world import Clock
from store.records import Unavailable

PATH = "/slack/events"
MAX_BYTES = 256 * 1024
BODY_TIMEOUT_S = 10.0
WINDOW_S = 300
_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
_log = logging.getLogger(__name__)

Team = Callable[[], Awaitable[str]]


def routes(
    bolt: AsyncApp, *, signing_secrets: Sequence[bytes], team: Team, clock: Clock
) -> list[web.RouteDef]:
    """The route for everything that Slack sends.

    Args:
        bolt: What `listeners.build_app` made.
        signing_secrets: Any of them may have signed; without one nothing gets in.
        team: Our workspace's id; asked for each request, so it should be remembered.
        clock: For the time window.

    Answers 200 only after what was clicked or typed is committed. When it could not be stored
    the answer is 503: Slack then shows the person that it did not work, which is the truth.
    """

    async def receive(request: web.Request) -> web.Response:
        body = await _body(request)
        digest = _verified(request, body, signing_secrets, clock)
        received = wire.parse(body, request.headers.get("Content-Type", ""))
        if received.kind == "ssl_check":
            return web.Response()
        if received.kind == "url_verification":
            return web.Response(text=received.challenge)
        await _demand_our_people(received, team)
        envelope = Envelope(digest)
        answer = await _dispatch(bolt, received, envelope)
        if envelope.trouble is not None:
            raise envelope.trouble
        return _answer(answer, handled=envelope.handled)

    return [web.post(PATH, receive)]


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes announced")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and not request.content.at_eof():
                body += await request.content.read(MAX_BYTES + 1 - len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except web.RequestPayloadError as error:  # not of the encoding or the chunks it announced
        raise BadInput("the body is not encoded as announced") from error
    if len(body) > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes")
    return body


def _verified(request: web.Request, body: bytes, secrets: Sequence[bytes], clock: Clock) -> str:
    """Return the digest of the signed bytes. Raises `Unauthorised`, for every cause alike."""
    timestamp = _only(request, "X-Slack-Request-Timestamp")
    signature = _only(request, "X-Slack-Signature")
    if not (_TIMESTAMP.fullmatch(timestamp) and _SIGNATURE.fullmatch(signature)):
        raise Unauthorised
    base = b"v0:" + timestamp.encode() + b":" + body
    signed = [
        hmac.compare_digest(
            b"v0=" + hmac.new(secret, base, hashlib.sha256).hexdigest().encode(),
            signature.encode(),
        )
        for secret in secrets
    ]
    if not any(signed) or abs(clock().timestamp() - int(timestamp)) > WINDOW_S:
        raise Unauthorised
    return hashlib.sha256(signature.encode() + b"\n" + base).hexdigest()


def _only(request: web.Request, name: str) -> str:
    values = request.headers.getall(name, [])
    return values[0] if len(values) == 1 else ""


async def _dispatch(bolt: AsyncApp, received: wire.Received, envelope: Envelope) -> BoltResponse:
    """Hand what was read to Bolt as JSON, without the headers.

    Bolt reads bodies in a way of its own (the last of two equal fields, JSON whatever the
    content type says) and obeys `X-Slack-Bolt-*` headers that nobody signed.
    """
    try:
        request = AsyncBoltRequest(
            body=json.dumps(received.payload),
            headers={"content-type": "application/json"},
            context={ENVELOPE: envelope},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # an odd type inside
        raise BadInput("not of a form that Slack sends") from error
    return await bolt.async_dispatch(request)


async def _demand_our_people(received: wire.Received, team: Team) -> None:
    """Refuse payloads of other workspaces, and people of others in shared channels."""
    sender = received.sender
    ours = await team()
    if sender is None or sender.team_id != ours or sender.user_team_id != ours:
        _log.warning("refused a payload of another workspace", extra={"kind": received.kind})
        raise Unauthorised


def _answer(answer: BoltResponse, *, handled: bool) -> web.Response:
    """Bolt's answer; what nobody listens to is acknowledged too, or Slack would send it again."""
    if not handled and answer.status >= 500:
        raise BadInput("not of a form that Slack sends")
    if not handled:
        return web.Response()
    if answer.status != 200:  # 404 is Bolt's word for a listener that took longer than 3 s
        raise Unavailable("not handled in time")
    content_type = answer.first_headers().get("content-type", "text/plain").partition(";")[0]
    return web.Response(text=answer.body or "", content_type=content_type)
