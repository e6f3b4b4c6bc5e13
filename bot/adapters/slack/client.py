"""Slack as the messenger: cards, notes, files and private answers through the Web API."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Container
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot import pages, render
from bot.adapters.slack.calls import SYSTEM, called, posted, web_client
from bot.adapters.slack.languages import Languages
from bot.charting.apart import chart_apart
from bot.domain.card import CardView
from bot.domain.chart.view import ChartView
from bot.domain.chart.words import in_words
from bot.domain.choices import Choices
from bot.domain.diff.browse import Sheet
from bot.domain.diff.picture import Picture
from bot.domain.home import HomeView, Said
from bot.domain.words import AnswerCode
from bot.errors import UpstreamRefused
from bot.ports.people import Note, Window
from bot.render import BrokenBlocks, Message
from bot.voice import OURS, Voice, speaking

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
_RESPONSE_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
# https://docs.slack.dev/messaging/working-with-files#upload
_UPLOAD_HOSTS = frozenset({"files.slack.com", "files.slack-gov.com"})
# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_BLOCKS_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
# https://docs.slack.dev/reference/methods/views.update#errors
_MOVED_ON = "hash_conflict"
_log = logging.getLogger(__name__)


class SlackMessenger:
    """Implements `bot.ports.people.Messenger`.

    Nothing is tried again here. After `Ambiguous` (a connection that broke, a 5xx) a message may
    stand in Slack already; who sends it again makes at most one more of it for each such fault.
    Of two cards only the one whose ts was stored takes votes: the other one's buttons are out
    of date.
    """

    def __init__(
        self,
        *,
        token: str,
        base_url: str,
        session: aiohttp.ClientSession,
        voice: Voice = OURS,
        languages: Languages | None = None,
    ) -> None:
        """Speak to the Slack at *base_url*, in *voice*, and to each person in their language."""
        self._voice = voice
        self._languages = languages or Languages(voice.language)
        self._web = web_client(token=token, base_url=base_url, session=session)
        self._session = session
        parts = urlsplit(base_url)
        self._origin = parts.scheme, parts.netloc

    def language_of(self, slack_id: str) -> str:
        """In which language a person reads, as far as it is known; never waits."""
        return self._languages.of(slack_id)

    async def show(self, card: CardView, *, channel: str, ts: str) -> str:
        """Post the card (empty *ts*) or redraw it; return its ts.

        Raises:
            UpstreamRefused: Also `message_not_found`, when somebody deleted it.
        """
        named = f"rollback {card.rollback_id}" if card.rollback_id else f"case {card.case_id}"
        message = self._drawn(lambda: render.card(card), f"the card of {named}")
        metadata = {"event_type": "keyturn_card", "event_payload": {"case_id": card.case_id}}

        async def send(drawn: Message) -> dict[str, Any]:
            if ts:
                return await self._update(drawn, channel=channel, ts=ts, metadata=metadata)
            return await self._post_message(drawn, channel=channel, metadata=metadata)

        answer = await _or_plainly(send, message, f"the card of {named}")
        return str(answer.get("ts") or ts)

    async def reply(self, note: Note, *, channel: str, ts: str) -> None:
        """Say *note* in the thread of message *ts*, or by a message of its own without one."""
        what = f"the reply {note.code}"
        message = self._drawn(lambda: render.note(note), what)
        await _or_plainly(
            lambda drawn: self._post_message(drawn, channel=channel, thread_ts=ts or None),
            message,
            what,
        )

    async def attach(self, text: str, *, filename: str, title: str, channel: str, ts: str) -> None:
        """Share *text* as a file in the thread of message *ts*.

        Three calls: https://docs.slack.dev/messaging/working-with-files#upload
        """
        await self._share(text.encode(), title, channel, ts, filename=filename, snippet_type="diff")

    async def draw(
        self, drawn: Picture, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        """Show *drawn* in the thread of message *ts*; not where this machine has no font."""
        content = await pages.png_apart(drawn)
        if content is None:
            _log.warning("no picture drawn: no font, no room, or out of all proportion")
            return
        await self._share(
            content, title, channel, ts, filename=filename, alt_txt=pages.in_words(drawn)
        )

    async def chart(
        self, view: ChartView, *, filename: str, title: str, channel: str, ts: str
    ) -> None:
        """Show *view* in the thread of message *ts*; not where it cannot be drawn."""
        content = await chart_apart(view)
        if content is not None:
            await self._share(
                content, title, channel, ts, filename=filename, alt_txt=in_words(view)
            )

    async def _share(self, content: bytes, title: str, channel: str, ts: str, **about: str) -> None:
        ticket = await called(self._web.files_getUploadURLExternal(length=len(content), **about))
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
        """Tell one person only: by *response_url* when it is one of Slack's, else in the channel.

        Raises:
            UpstreamRefused: Also `response_url_refused`, when the address takes no more.
        """
        language = await self._languages.asked(slack_id, self._web)
        message = self._drawn(lambda: render.answer(note), f"the answer {note.code}", language)
        if self._is_slack(response_url, _RESPONSE_HOSTS):
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

    async def open_form(
        self,
        action: str,
        *,
        trigger_id: str,
        value: str,
        channel: str,
        ts: str,
        slack_id: str = "",
        drill: bool = False,
    ) -> None:
        """Open the form of a button's *action*; *trigger_id* lives three seconds."""
        await self._open(
            lambda: render.form_view(action, value=value, channel=channel, ts=ts, drill=drill),
            trigger_id,
            slack_id,
        )

    async def open_difference(self, window: Window, *, trigger_id: str) -> None:
        """Open the dialog in which a difference will stand; *trigger_id* lives three seconds."""
        await self._open(lambda: render.difference_view(window, None), trigger_id, window.slack_id)

    async def open_choice(self, window: Window, *, trigger_id: str) -> None:
        """Open the dialog in which a version is chosen; *trigger_id* lives three seconds."""
        await self._open(lambda: render.choice_view(window, None), trigger_id, window.slack_id)

    async def await_choices(self, window: Window, *, view_id: str, view_hash: str) -> None:
        """Say in an open dialog that the versions of the app chosen there are being read.

        From now on it has *window*'s id, and takes no versions that were asked for before. Where
        it moved on since it was touched, older versions came in between: what the person chose
        last goes before them.
        """
        language = self._languages.of(window.slack_id)
        view = self._view(lambda: render.choice_view(window, None), language)
        try:
            await called(self._web.views_update(view_id=view_id, hash=view_hash, view=view))
        except UpstreamRefused as error:
            if error.upstream_code != _MOVED_ON:
                raise
            await called(self._web.views_update(view_id=view_id, view=view))

    async def fill(self, window: Window, shown: Sheet | Choices | Note) -> None:
        """Show something in an open dialog.

        Raises:
            UpstreamRefused: Also `not_found`: it was closed, or has not opened yet.
        """
        language = await self._languages.asked(window.slack_id, self._web)
        try:
            view = self._view(lambda: render.filled(window, shown), language)
        except BrokenBlocks as error:
            _log.exception("could not be drawn", extra={"what": "a dialog", "why": str(error)})
            failed = Note(AnswerCode.FAILED, {})
            view = self._view(lambda: render.filled(window, failed), language)
        await called(self._web.views_update(external_id=window.id, view=view))

    async def tell(self, note: Note, *, slack_id: str) -> tuple[str, str]:
        """Tell one person by a direct message; return its channel and ts.

        A person's id stands for the conversation with them
        (https://docs.slack.dev/reference/methods/chat.postMessage).

        Raises:
            UpstreamRefused: Also `messages_tab_disabled`, where the app's manifest has none.
        """
        what = f"the direct message {note.code}"
        language = await self._languages.asked(slack_id, self._web)
        answer = await _or_plainly(
            lambda drawn: self._post_message(drawn, channel=slack_id),
            self._drawn(lambda: render.note(note), what, language),
            what,
        )
        return str(answer.get("channel") or ""), str(answer.get("ts") or "")

    async def retell(self, note: Note, *, channel: str, ts: str, slack_id: str = "") -> None:
        """Say something else in the place of a direct message to *slack_id*."""
        what = f"the direct message {note.code}"
        language = await self._languages.asked(slack_id, self._web)
        await _or_plainly(
            lambda drawn: self._update(drawn, channel=channel, ts=ts, metadata=None),
            self._drawn(lambda: render.note(note), what, language),
            what,
        )

    async def publish(self, home: HomeView, *, slack_id: str, stands: str) -> str:
        """Draw a person's App Home in place of what *stands* there; return its hash.

        See https://docs.slack.dev/reference/methods/views.publish

        Raises:
            UpstreamRefused: Also `hash_conflict`, and `not_enabled` where the app has no home tab.
        """
        language = await self._languages.asked(slack_id, self._web)
        try:
            view = self._view(lambda: render.home_view(home), language)
        except BrokenBlocks as error:
            _log.exception("could not be drawn", extra={"what": "App Home", "why": str(error)})
            undrawn = HomeView(home.at, notices=((Said.UNDRAWN, {}),))
            view = self._view(lambda: render.home_view(undrawn), language)
        answer = await called(
            self._web.views_publish(user_id=slack_id, view=view, hash=stands or None)
        )
        return str(_part(answer, "view").get("hash") or "")

    # -- how ------------------------------------------------------------------------------------

    async def _open(
        self, draw: Callable[[], dict[str, Any]], trigger_id: str, slack_id: str
    ) -> None:
        """Open a dialog in what is known of a person's language, and ask for it afterwards."""
        view = self._view(draw, self._languages.of(slack_id))
        await called(self._web.views_open(trigger_id=trigger_id, view=view))
        await self._languages.asked(slack_id, self._web)

    def _view(self, draw: Callable[[], dict[str, Any]], language: str) -> dict[str, Any]:
        with speaking(self._voice, language):
            return draw()

    def _drawn(self, draw: Callable[[], Message], what: str, language: str = "") -> Message:
        """What *draw* makes, or a fixed text when a rule was broken: never half a message."""
        try:
            with speaking(self._voice, language):
                return draw()
        except BrokenBlocks as error:
            _log.exception("could not be drawn", extra={"what": what, "why": str(error)})
            return _undrawn(what)

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

    async def _update(
        self, message: Message, *, channel: str, ts: str, metadata: dict[str, Any] | None
    ) -> dict[str, Any]:
        return await called(
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

    def _is_slack(self, url: str, hosts: Container[str]) -> bool:
        """Whether *url* is of one of *hosts*, or of the Slack that we were told to use instead.

        Nothing is sent anywhere else, not even when a signed payload names the address.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        known = parts.scheme == "https" and parts.netloc in hosts  # no port, no user name
        return known or (parts.scheme, parts.netloc) == self._origin

    async def _respond(self, url: str, message: Message) -> None:
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": message.text,
            "blocks": message.blocks,
        }
        status = await posted(self._session, url, proxy=self._web.proxy, json=body)
        if status >= 300:  # used up or too old: five posts, thirty minutes
            raise UpstreamRefused(SYSTEM, f"response_url answered {status}", "response_url_refused")

    async def _upload(self, url: str, content: bytes) -> None:
        if not self._is_slack(url, _UPLOAD_HOSTS):
            raise UpstreamRefused(SYSTEM, "an upload address that is not Slack's", "bad_upload_url")
        status = await posted(self._session, url, proxy=self._web.proxy, data=content)
        if status >= 300:
            raise UpstreamRefused(SYSTEM, f"upload answered {status}", "upload_refused")


def _part(answer: dict[str, Any], name: str) -> dict[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


async def _or_plainly(
    send: Callable[[Message], Awaitable[dict[str, Any]]], message: Message, what: str
) -> dict[str, Any]:
    """Send *message*, or a fixed text where Slack's rules for blocks are no longer ours.

    A person who is told too little looks further; one who is told nothing does not.
    """
    try:
        return await send(message)
    except UpstreamRefused as error:
        if error.upstream_code not in _BLOCKS_REFUSED or not message.blocks:
            raise
        _log.exception("blocks were refused", extra={"what": what, "why": error.upstream_code})
        return await send(_undrawn(what))


def _undrawn(what: str) -> Message:
    return Message(f"Keyturn could not draw {what}; see its log.", [])
