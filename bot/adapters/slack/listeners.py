"""Bolt's listeners: each commits one inbox row and acknowledges; workers do the rest.

Nothing may leave a listener. When one raises after `ack()`, Bolt's AsyncApp may lose the
acknowledgement and Slack shows a failure three seconds later; so the row is committed first,
the acknowledgement comes last, and what went wrong is handed to the door in the envelope.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult

from bot.adapters.slack import at_home, choosing, wire
from bot.adapters.slack.envelope import Put, commit, envelope_of
from bot.domain import glass
from bot.domain.words import AnswerCode
from bot.errors import BadInput, BotError, ReasonMissing, ReasonTooShort, UndoReasonMissing
from bot.language import gettext, speaking_in
from bot.ports.people import Note, Window
from store.records import NewInboxItem

COMMAND = "/rollback"
_log = logging.getLogger(__name__)


class OpensForms(choosing.OpensChoices, Protocol):
    """What the listeners need of the Slack client that open something."""

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
    ) -> None: ...
    async def open_difference(self, window: Window, *, trigger_id: str) -> None: ...
    async def answer(
        self, note: Note, *, channel: str, slack_id: str, ts: str, response_url: str
    ) -> None: ...


def build_app(*, put: Put, forms: OpensForms, apps: choosing.Apps) -> AsyncApp:
    """Return Bolt's application with our listeners; the door has verified every request.

    Args:
        put: Commits an inbox row; False when the same bytes came before.
        forms: Opens dialogs: the forms that ask for words, the difference, and the choice.
        apps: Says which apps somebody may choose among.
    """
    app = AsyncApp(
        name="keyturn",
        logger=_bolt_log(),
        authorize=_authorize,
        request_verification_enabled=False,
        ssl_check_enabled=False,
        url_verification_enabled=False,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
        signing_secret="verified by the door",  # noqa: S106  # Bolt insists on one
    )
    _clicks(app, put, forms)
    _forms(app, put, forms)
    _commands(app, put, forms)
    choosing.listen(app, put, forms, apps)
    _home(app, put)
    return app


async def _authorize(**_: Any) -> AuthorizeResult:
    """Take every request: the door has, and no call to Slack belongs before an acknowledgement."""
    return AuthorizeResult(enterprise_id=None, team_id=None, bot_token="-")  # noqa: S106  # never used


def _clicks(app: AsyncApp, put: Put, forms: OpensForms) -> None:
    @app.action(
        re.compile(r"^rollback\.(approve|reject|undo|difference|another|break_glass|sign_review)$")
    )
    async def press(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        item = await commit(context, put, lambda digest: wire.click(body, action, digest))
        await ack()
        if item is None:
            return
        if f"rollback.{item.action}" in wire.FORMS:
            drill = wire.of_drill(action)
            envelope_of(context).go_on(_open_form(forms, body, item, drill=drill))
        elif item.action == "difference":
            envelope_of(context).go_on(_open_difference(forms, body, item))
        elif item.action == "another":
            envelope_of(context).go_on(_open_choice(forms, body, item))

    @app.action(re.compile(r"^rollback\.page\.(before|after|contents)$"))
    async def turn(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await commit(context, put, lambda digest: wire.turned(body, action, digest))
        await ack()


def _forms(app: AsyncApp, put: Put, forms: OpensForms) -> None:
    @app.view(re.compile(rf"^({'|'.join(map(re.escape, sorted(wire.FORMS)))})$"))
    async def submit(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        with speaking_in(forms.language_of(str(body["user"]["id"]))):
            missing = _missing(body)
        if missing:
            envelope_of(context).handled = True
            await ack(response_action="errors", errors={wire.REASON_BLOCK: missing})
            return
        await commit(context, put, lambda digest: wire.submission(body, digest))
        await ack()


def _commands(app: AsyncApp, put: Put, forms: OpensForms) -> None:
    @app.command(COMMAND)
    async def typed(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        item = await commit(context, put, lambda digest: wire.command(body, digest))
        await ack()
        if item is not None and not item.payload["text"].strip():
            envelope_of(context).go_on(choosing.open_for_command(put, forms, body, item))


def _home(app: AsyncApp, put: Put) -> None:
    async def keep(
        body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> None:
        """Commit before Bolt acknowledges: of an event it does so before its listener is called."""
        if body["event"].get("tab") == "home":  # its messages tab says the same
            await commit(context, put, lambda _: at_home.opened(body))
        await next_()

    @app.event("app_home_opened", middleware=[keep])
    async def opened(ack: AsyncAck) -> None:
        await ack()

    @app.action(
        re.compile(r"^home\.(page\.(before|after)|job\.(run|pause|resume)|direct\.(off|on))$")
    )
    async def press(
        ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await commit(context, put, lambda digest: at_home.pressed(body, action, digest))
        await ack()


async def _open_form(
    forms: OpensForms, body: dict[str, Any], item: NewInboxItem, *, drill: bool
) -> None:
    """Open the form of a button; the trigger lives three seconds, so this is done here.

    Somebody who sees no form is told to press again, if Slack takes that.
    """
    pressed = item.payload
    try:
        await forms.open_form(
            item.action,
            trigger_id=str(body.get("trigger_id", "")),
            value=pressed["value"],
            channel=pressed["channel"],
            ts=pressed["ts"],
            slack_id=item.slack_id,
            drill=drill,
        )
    except Exception as error:  # noqa: BLE001  # an edge: nothing may leave a listener
        why = error.code if isinstance(error, BotError) else type(error).__name__
        _log.warning("the form did not open", extra={"form": item.action, "why": why})
        await _say_it_did_not_open(forms, item)


async def _open_difference(forms: OpensForms, body: dict[str, Any], item: NewInboxItem) -> None:
    """Open the dialog that a worker will fill; without it the worker answers by a message."""
    pressed = item.payload
    window = Window(
        pressed["window"],
        value=pressed["value"],
        channel=pressed["channel"],
        ts=pressed["ts"],
        slack_id=item.slack_id,
    )
    try:
        await forms.open_difference(window, trigger_id=str(body.get("trigger_id", "")))
    except Exception as error:  # noqa: BLE001  # an edge: nothing may leave a listener
        why = error.code if isinstance(error, BotError) else type(error).__name__
        _log.warning("the difference did not open", extra={"why": why})


async def _open_choice(forms: OpensForms, body: dict[str, Any], item: NewInboxItem) -> None:
    """Open the dialog of versions, which a worker will fill, or say that it did not open."""
    if not await choosing.open_for_button(forms, body, item):
        await _say_it_did_not_open(forms, item)


async def _say_it_did_not_open(forms: OpensForms, item: NewInboxItem) -> None:
    pressed = item.payload
    try:
        await forms.answer(
            Note(AnswerCode.FORM_NOT_OPENED, {"form": item.action}),
            channel=pressed["channel"],
            slack_id=item.slack_id,
            ts="",
            response_url=str(pressed.get("response_url") or ""),
        )
    except Exception as error:  # noqa: BLE001  # an edge: nothing may leave a listener
        _log.warning("nor could that be said", extra={"why": type(error).__name__})


def _missing(body: dict[str, Any]) -> str:
    """What is said to somebody whose form lacks words; "" when nothing is missing."""
    try:
        view = body["view"]
        form, reason = view["callback_id"], wire.reason_in(view)
    except (BadInput, KeyError):
        return gettext(ReasonMissing.user_message)
    if form == "rollback.sign_review":
        return ""
    if form == "rollback.undo":
        return "" if reason else gettext(UndoReasonMissing.user_message)
    if form == "rollback.break_glass":
        least = glass.REASON_AT_LEAST
        enough = len(" ".join(reason.split())) >= least
        return "" if enough else ReasonTooShort(least).to_person()
    return "" if reason else gettext(ReasonMissing.user_message)


# -- Bolt's log -------------------------------------------------------------------------------


def _bolt_log() -> logging.Logger:
    """The logger that Bolt makes all its others after."""
    logger = logging.getLogger("slack_bolt.keyturn")
    logger.addFilter(_without_bodies)
    return logger


_NO_COMPLAINT = frozenset({"_handle_unmatched_requests", "__init__"})


def _without_bodies(record: logging.LogRecord) -> bool:
    """Say where Bolt complains and of what kind of error: its own texts hold whole bodies.

    Requests that nobody listens to are no complaint; Slack sends more than we asked for. Nor is
    that it finds SLACK_BOT_TOKEN when it is made: we give it our own way to authorize.
    """
    if record.levelno < logging.WARNING or record.funcName in _NO_COMPLAINT:
        return False
    kind = record.exc_info[0] if record.exc_info else None
    record.msg = f"slack_bolt: {record.module}.{record.funcName}"
    record.msg += f" {kind.__name__}" if kind else ""
    record.args, record.exc_info, record.exc_text = (), None, None
    return True
