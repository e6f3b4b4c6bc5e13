"""Slack as the messenger: cards, notes, files and private answers through the Web API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot import render
from bot.adapters.slack.calls import SYSTEM, called, web_client
from bot.domain.card import CardView
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.ports import Note
from bot.render import BrokenBlocks, Message

RESPONSE_HOST = "hooks.slack.com"
_log = logging.getLogger(__name__)


class SlackMessenger:
    """Implements `bot.ports.Messenger`."""

    def __init__(self, *, token: str, base_url: str, session: aiohttp.ClientSession) -> None:
        self._web = web_client(token=token, base_url=base_url, session=session)
        self._session = session
        self._origin = _origin(base_url)

    async def show(self, card: CardView, *, channel: str, ts: str) -> str:
        """Post the card (empty *ts*) or redraw it; return its ts.

        Raises:
            UpstreamRefused: Also `message_not_found`, when somebody deleted it.
        """
        named = f"rollback {card.rollback_id}" if card.rollback_id else f"case {card.case_id}"
        message = _drawn(lambda: render.card(card), f"the card of {named}")
        metadata = {"event_type": "keyturn_card", "event_payload": {"case_id": card.case_id}}
        if ts:
            answer = await called(
                self._web.chat_update(
                    channel=channel,
                    ts=ts,
                    text=message.text,
                    blocks=message.blocks,
                    metadata=metadata,
                    parse="none",
                    link_names=False,
                )
            )
        else:
            answer = await self._post_message(message, channel=channel, metadata=metadata)
        return str(answer.get("ts") or ts)

    async def reply(self, note: Note, *, channel: str, ts: str) -> None:
        """Say *note* in the thread of message *ts*."""
        message = _drawn(lambda: render.note(note), f"the reply {note.code}")
        await self._post_message(message, channel=channel, thread_ts=ts)

    async def attach(self, text: str, *, filename: str, title: str, channel: str, ts: str) -> None:
        """Share *text* as a file in the thread of message *ts*.

        Three calls: https://docs.slack.dev/messaging/working-with-files#upload
        """
        content = text.encode()
        ticket = await called(
            self._web.files_getUploadURLExternal(
                filename=filename, length=len(content), snippet_type="diff"
            )
        )
        await self._upload(str(ticket.get("upload_url", "")), content)
        await called(
            self._web.files_completeUploadExternal(
                files=[{"id": ticket.get("file_id", ""), "title": title}],
                channel_id=channel,
                thread_ts=ts,
            )
        )

    async def answer(
        self, note: Note, *, channel: str, slack_id: str, ts: str, response_url: str
    ) -> None:
        """Tell one person only: by *response_url* when there is one, else in the channel."""
        message = _drawn(lambda: render.answer(note), f"the answer {note.code}")
        if response_url and self._allowed(response_url):
            await self._respond(response_url, message)
            return
        await called(
            self._web.chat_postEphemeral(
                channel=channel,
                user=slack_id,
                text=message.text,
                blocks=message.blocks,
                parse="none",
                link_names=False,
                thread_ts=ts or None,
            )
        )

    async def permalink(self, *, channel: str, ts: str) -> str:
        """The address of a message."""
        answer = await called(self._web.chat_getPermalink(channel=channel, message_ts=ts))
        return str(answer.get("permalink", ""))

    async def open_reject_form(self, *, trigger_id: str, value: str, channel: str, ts: str) -> None:
        """Open the form that asks why; *trigger_id* lives three seconds."""
        view = render.reject_view(value=value, channel=channel, ts=ts)
        await called(self._web.views_open(trigger_id=trigger_id, view=view))

    # -- how ------------------------------------------------------------------------------------

    async def _post_message(
        self,
        message: Message,
        *,
        channel: str,
        thread_ts: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Post so that no name, link or mention in foreign text comes alive.

        See https://docs.slack.dev/messaging/formatting-message-text
        """
        return await called(
            self._web.chat_postMessage(
                channel=channel,
                thread_ts=thread_ts,
                text=message.text,
                blocks=message.blocks,
                metadata=metadata,
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        )

    def _allowed(self, url: str) -> bool:
        """Only Slack itself gets answers; a signed payload names the address all the same."""
        parts = urlsplit(url)
        return (parts.scheme == "https" and parts.hostname == RESPONSE_HOST) or (
            _origin(url) == self._origin
        )

    async def _respond(self, url: str, message: Message) -> None:
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": message.text,
            "blocks": message.blocks,
        }
        status = await self._post(url, json=body)
        if status >= 400:  # used up or too old: five posts, thirty minutes
            raise UpstreamRefused(SYSTEM, f"response_url answered {status}", "response_url_refused")

    async def _upload(self, url: str, content: bytes) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and _origin(url) != self._origin:
            raise UpstreamRefused(SYSTEM, "an upload address that is not Slack's", "bad_upload_url")
        status = await self._post(url, data=content)
        if status >= 400:
            raise UpstreamRefused(SYSTEM, f"upload answered {status}", "upload_refused")

    async def _post(self, url: str, **content: Any) -> int:
        try:
            async with self._session.post(url, allow_redirects=False, **content) as response:
                status = response.status
                wait = response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UpstreamDown(SYSTEM, type(error).__name__) from error
        if status == 429:
            raise Throttled(SYSTEM, float(wait) if wait.isdigit() else 30.0)
        if status >= 500:
            raise UpstreamDown(SYSTEM, f"HTTP {status}")
        return status


def _drawn(draw: Callable[[], Message], what: str) -> Message:
    """What *draw* makes, or a fixed text when a rule was broken: never half a message."""
    try:
        return draw()
    except BrokenBlocks as error:
        _log.exception("could not be drawn", extra={"what": what, "why": str(error)})
        return Message(f"Keyturn could not draw {what}; see its log.", [])


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
