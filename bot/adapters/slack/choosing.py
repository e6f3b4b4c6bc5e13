"""Bolt's listeners for the dialog in which an app and one of its versions are chosen.

As everywhere each commits one row and acknowledges; only the letters that somebody types to find
an app are answered at once, which changes nothing and is remembered nowhere.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext

from bot import render
from bot.adapters.slack import choice, wire
from bot.adapters.slack.envelope import COMMIT_S, Put, commit, envelope_of
from bot.errors import (
    AppNotChosen,
    BadInput,
    BotError,
    CondemnedHere,
    VersionNotChosen,
    VersionsNotThere,
    VersionsOfAnother,
)
from bot.language import gettext, speaking_in
from bot.ports.people import CHOICE, Window
from store.records import AppEnv, NewInboxItem, StoreError

_log = logging.getLogger(__name__)

# (who, of which workspace, the letters they typed) → the apps that they may see and may mean
Apps = Callable[[str, str, str], Awaitable[Sequence[AppEnv]]]


class OpensChoices(Protocol):
    """What choosing needs of the Slack client."""

    def language_of(self, slack_id: str) -> str: ...
    async def open_choice(self, window: Window, *, trigger_id: str) -> None: ...
    async def await_choices(self, window: Window, *, view_id: str, view_hash: str) -> None: ...


def listen(app: AsyncApp, put: Put, opens: OpensChoices, apps: Apps) -> None:
    """Let *app* take what people do in the dialog."""

    @app.options(choice.APP)
    async def look_up(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        envelope_of(context).handled = True
        await ack(options=await _found(apps, body))

    @app.action(choice.APP)
    async def choose(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        item = await commit(context, put, lambda digest: choice.app(body, action, digest))
        await ack()
        if item is not None:
            envelope_of(context).go_on(_wait(opens, body, item))

    @app.action(re.compile(rf"^{re.escape(choice.FORM)}\.page\.(newer|older)$"))
    async def turn(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await commit(context, put, lambda digest: choice.turned(body, action, digest))
        await ack()

    @app.view(choice.FORM)
    async def submit(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        with speaking_in(opens.language_of(str(body["user"]["id"]))):
            errors = _missing(body)
        if errors:
            envelope_of(context).handled = True
            await ack(response_action="errors", errors=errors)
            return
        await commit(context, put, lambda digest: choice.sent(body, digest))
        await ack()


async def open_for_command(
    put: Put, opens: OpensChoices, body: dict[str, Any], item: NewInboxItem
) -> None:
    """Open the dialog for the command *item*; where it does not open, the words are asked for."""
    said = item.payload
    window = Window(
        f"{CHOICE}.{item.digest}",
        "",
        said["channel"],
        "",
        response_url=said["response_url"],
        slack_id=item.slack_id,
    )
    if not await _opened(opens.open_choice(window, trigger_id=str(body.get("trigger_id", "")))):
        try:
            await put(choice.not_opened(item))
        except (BotError, StoreError) as error:
            _log.warning("nor could the words be asked for", extra={"why": type(error).__name__})


async def open_for_button(opens: OpensChoices, body: dict[str, Any], item: NewInboxItem) -> bool:
    """Open the dialog of a card's button, which a worker fills; False when it did not open."""
    said = item.payload
    window = Window(
        said["window"],
        said["value"],
        said["channel"],
        said["ts"],
        response_url=said["response_url"],
        slack_id=item.slack_id,
    )
    return await _opened(opens.open_choice(window, trigger_id=str(body.get("trigger_id", ""))))


async def _wait(opens: OpensChoices, body: dict[str, Any], item: NewInboxItem) -> None:
    """Show that the versions of the app are being read; a worker fills them in."""
    said, view = item.payload, body.get("view", {})
    window = Window(
        said["window"],
        said["value"],
        said["channel"],
        said["ts"],
        response_url=said["response_url"],
        where=said["where"],
        slack_id=item.slack_id,
    )
    at = {"view_id": str(view.get("id", "")), "view_hash": str(view.get("hash", ""))}
    await _opened(opens.await_choices(window, **at))


async def _opened(opening: Coroutine[Any, Any, None]) -> bool:
    try:
        await opening
    except Exception as error:  # noqa: BLE001  # an edge: nothing may leave a listener
        why = error.code if isinstance(error, BotError) else type(error).__name__
        _log.warning("the dialog of choices did not open", extra={"why": why})
        return False
    return True


async def _found(apps: Apps, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The apps to choose from; none when that cannot be said in time, as Slack waits."""
    try:
        async with asyncio.timeout(COMMIT_S):
            return render.app_options(await apps(*choice.typed(body)))
    except (BotError, StoreError, TimeoutError) as error:
        _log.warning("no apps to choose from", extra={"why": type(error).__name__})
        return []


def _missing(body: dict[str, Any]) -> dict[str, str]:
    """What is said below the fields of a dialog that lacks something, by their blocks."""
    try:
        filled = choice.read(body["view"])
    except (BadInput, KeyError):
        return {wire.REASON_BLOCK: gettext(VersionsNotThere.user_message)}
    return _without_app(filled) or _without_version(filled) or _without_reason(filled)


def _without_app(filled: choice.Choice) -> dict[str, str]:
    if not filled.asks_app or (filled.app and filled.app == filled.shown):
        return {}
    lacks = VersionsOfAnother if filled.app else AppNotChosen
    return {choice.APP_BLOCK: gettext(lacks.user_message)}


def _without_version(filled: choice.Choice) -> dict[str, str]:
    if not filled.version_block:
        return {wire.REASON_BLOCK: gettext(VersionsNotThere.user_message)}
    return {} if filled.number else {filled.version_block: gettext(VersionNotChosen.user_message)}


def _without_reason(filled: choice.Choice) -> dict[str, str]:
    lacks = filled.takes_reason and not filled.reason
    return {wire.REASON_BLOCK: gettext(CondemnedHere.user_message)} if lacks else {}
