"""What both ways in from Slack call before anything happens: size, kinds, workspace, once.

The door verifies a signature, the socket a connection that the app's own token opened; from
there on the rules are the same, and they stand here alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.adapters.slack import wire
from bot.adapters.slack.envelope import ENVELOPE, Envelope
from bot.errors import BadInput, TooLarge, Unauthorised
from store.records import Unavailable

MAX_BYTES = 256 * 1024
FINISH_S = 3.0  # a form cannot be opened later than that
ADMITTED = frozenset({"interaction", "command", "event"})
_log = logging.getLogger(__name__)

Team = Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class Answer:
    """What Slack is told at once: nothing, a text, or JSON (a form's errors)."""

    text: str = ""
    content_type: str = "text/plain"


def demand_size(size: int) -> None:
    """Raise `TooLarge` when *size* bytes are more than Slack ever sends us."""
    if size > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES} bytes")


def digest_of(*parts: bytes) -> str:
    """What the inbox knows a delivery by: the same *parts* again are the same row."""
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


class Admit(Protocol):
    """Takes one delivery, as `Admission` does."""

    async def __call__(self, received: wire.Received, *, size: int, digest: str) -> Answer:
        """See `Admission.__call__`."""
        ...


class Admission:
    """Takes what Slack sends, whichever way it came, into the inbox."""

    def __init__(self, bolt: AsyncApp, *, team: Team) -> None:
        """Take Bolt's application of `listeners.build_app`, and who tells our workspace's id.

        *team* is asked for each delivery, so it should be remembered.
        """
        self._bolt = bolt
        self._team = team
        self._later: set[asyncio.Task[None]] = set()

    async def __call__(self, received: wire.Received, *, size: int, digest: str) -> Answer:
        """Return the answer after what was clicked or typed is committed, once per *digest*.

        What is well-formed and nobody listens to is answered with nothing.

        Raises:
            TooLarge, BadInput, Unauthorised: It will never be taken.
            StoreError, UpstreamDown: It could not be stored; the same may be taken later.
        """
        demand_size(size)
        if received.kind not in ADMITTED:
            raise BadInput("not of a kind that is taken")
        await self._demand_our_people(received)
        envelope = Envelope(digest, self._later)
        answer = await self._dispatch(received, envelope)
        if envelope.trouble is not None:
            raise envelope.trouble
        return _answer(answer, handled=envelope.handled)

    async def finish(self) -> None:
        """Let what goes on after an acknowledgement come to its end, for at most three seconds."""
        if self._later:
            _, late = await asyncio.wait(set(self._later), timeout=FINISH_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _demand_our_people(self, received: wire.Received) -> None:
        """Refuse payloads of other workspaces, and people of others in shared channels."""
        sender = received.sender
        ours = await self._team()
        if sender is None or sender.team_id != ours or sender.user_team_id != ours:
            _log.warning("refused a payload of another workspace", extra={"kind": received.kind})
            raise Unauthorised

    async def _dispatch(self, received: wire.Received, envelope: Envelope) -> BoltResponse:
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
        return await self._bolt.async_dispatch(request)


def _answer(answer: BoltResponse, *, handled: bool) -> Answer:
    """Bolt's answer; what nobody listens to is acknowledged too, or Slack would send it again."""
    if not handled and answer.status >= 500:
        raise BadInput("not of a form that Slack sends")
    if not handled:
        return Answer()
    if answer.status != 200:  # 404 is Bolt's word for a listener that took longer than 3 s
        raise Unavailable("not handled in time")
    content_type = answer.first_headers().get("content-type", "text/plain").partition(";")[0]
    return Answer(answer.body or "", content_type)
