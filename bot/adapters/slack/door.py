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
import re
from collections.abc import Sequence

from aiohttp import web

from bot.adapters.slack import wire
from bot.adapters.slack.admission import MAX_BYTES, Admission, demand_size, digest_of
from bot.errors import BadInput, Unauthorised
from bot.ports.world import Clock

PATH = "/slack/events"
BODY_TIMEOUT_S = 10.0
WINDOW_S = 300
_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


def routes(
    admit: Admission, *, signing_secrets: Sequence[bytes], clock: Clock
) -> list[web.RouteDef]:
    """The route for everything that Slack sends over HTTP.

    Args:
        admit: Takes what was verified.
        signing_secrets: Any of them may have signed; without one nothing gets in.
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
        answer = await admit(received, size=len(body), digest=digest)
        return web.Response(text=answer.text, content_type=answer.content_type)

    return [web.post(PATH, receive)]


async def _body(request: web.Request) -> bytes:
    demand_size(request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and not request.content.at_eof():
                body += await request.content.read(MAX_BYTES + 1 - len(body))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except web.RequestPayloadError as error:  # not of the encoding or the chunks it announced
        raise BadInput("the body is not encoded as announced") from error
    demand_size(len(body))
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
    return digest_of(signature.encode(), base)


def _only(request: web.Request, name: str) -> str:
    values = request.headers.getall(name, [])
    return values[0] if len(values) == 1 else ""
