"""What people do in Slack, sent to the app as Slack sends it, within three seconds.

Over HTTP each request is signed; with Socket Mode on, the same goes over one of the app's sockets.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp

from bot import blockkit
from bot.playground.slack import hooks, shapes, views
from bot.playground.slack.filling import NoSuchButton, button, element, filled, option
from bot.playground.slack.shapes import HONEST, Forge
from bot.playground.slack.signing import Signed, as_envelope, sign, sign_form
from bot.playground.slack.state import Hook, SlackState
from bot.playground.slack.things import Json, Message, SlackError, View

ACK_S = 3.0


@dataclass(frozen=True)
class Answer:
    """What the app answered. `status` is 0 when no answer came within three seconds."""

    status: int
    body: str

    @property
    def ok(self) -> bool:
        return self.status == 200


class Driver:
    """Acts as people of the workspace; `events_url` is the app's `/slack/events`.

    Every `prepare_*` returns the signed bytes without sending them, for replays and late
    arrivals; a `Forge` says what is false in a request.
    """

    def __init__(
        self,
        state: SlackState,
        session: aiohttp.ClientSession,
        *,
        signing_secret: str,
        events_url: str | None = None,
    ) -> None:
        self.events_url = events_url
        self.signing_secret = signing_secret
        self._state = state
        self._session = session

    # -- clicks -------------------------------------------------------------------------------

    async def click(
        self,
        user: str,
        message_ts: str,
        action_id: str,
        *,
        channel: str = "",
        value: str | None = None,
        forge: Forge = HONEST,
    ) -> Answer:
        """Press a button of a message as *user*.

        Args:
            action_id: The button's, or its end: `approve` finds `rollback.approve`.
            channel: Where the message stands; "" looks in every channel.
            value: Picks among buttons of one action id.

        Raises:
            NoSuchButton: The message is not there, or has no such button now.
        """
        signed = self.prepare_click(
            user, message_ts, action_id, channel=channel, value=value, forge=forge
        )
        answer = await self.send(signed)
        if not answer.ok:
            self._state.trouble(user, f"The app did not take the click ({_why(answer)}).")
        return answer

    def prepare_click(
        self,
        user: str,
        message_ts: str,
        action_id: str,
        *,
        channel: str = "",
        value: str | None = None,
        forge: Forge = HONEST,
    ) -> Signed:
        """Sign a click on a button that the message has now."""
        message = self._message(message_ts, channel)
        pressed = button(message.blocks, action_id, value)
        payload = shapes.click(self._state, user, message, pressed, forge)
        return self._sign_payload(payload, forge)

    async def click_in_view(
        self, user: str, view_id: str, action_id: str, *, value: str | None = None
    ) -> Answer:
        """Press a button inside a modal or App Home; *value* picks among those of one action id."""
        view = self._view(view_id)
        pressed = button(view.content["blocks"], action_id, value)
        payload = shapes.view_click(self._state, user, view, pressed, HONEST)
        return await self.send(self._sign_payload(payload))

    # -- choosing in a modal --------------------------------------------------------------------

    async def look_up(self, user: str, view_id: str, action_id: str, typed: str) -> list[Json]:
        """Type into a menu whose options the app knows; return what it offers.

        Slack does not ask before enough letters are there, and shows nothing that breaks its
        rules.
        """
        view = self._view(view_id)
        asked = element(view, action_id)
        if len(typed) < asked.get("min_query_length", 3):
            return []
        payload = shapes.suggestion(self._state, user, view, asked, typed)
        answer = await self.send(self._sign_payload(payload))
        try:
            said = json.loads(answer.body) if answer.ok and answer.body else None
        except ValueError:
            said = None
        if found := blockkit.options_problems(said):
            self._state.complain("options", found)
            self._state.trouble(user, f"The app offered nothing to choose from ({_why(answer)}).")
            return []
        options: list[Json] = said["options"] if isinstance(said, dict) else []
        view.offered[asked["action_id"]] = options
        return options

    async def choose(
        self, user: str, view_id: str, action_id: str, value: str, *, values: Json | None = None
    ) -> Answer:
        """Choose in a menu or among radio buttons; *values* is what else stands in the form.

        The app hears of it at once only where the block says so; else with the whole form.

        Raises:
            NoSuchButton: The modal offers no such thing now.
        """
        view = self._view(view_id)
        asked = element(view, action_id)
        picked = option(view, asked, value)
        view.values = filled(view, {**(values or {}), asked["action_id"]: value})
        if not asked["dispatches"]:
            return Answer(200, "")
        return await self.send(
            self._sign_payload(shapes.chosen(self._state, user, view, asked, picked))
        )

    # -- modals -------------------------------------------------------------------------------

    async def submit(
        self, user: str, view_id: str, values: Json, *, forge: Forge = HONEST
    ) -> Answer:
        """Fill in and send a modal, and do what the app answers: errors, update, push, clear.

        *values* is `{action_id: text}` or Slack's own `{block_id: {action_id: {…}}}`.
        """
        view = self._view(view_id)
        answer = await self.send(self.prepare_submit(user, view_id, values, forge=forge))
        if not answer.ok:
            self._state.trouble(user, "We had some trouble connecting. Try again?")
            return answer
        try:
            self._obey(user, view, json.loads(answer.body) if answer.body else {})
        except (ValueError, SlackError) as error:
            self._state.trouble(user, f"The app's answer to the form cannot be used ({error}).")
        return answer

    def prepare_submit(
        self,
        user: str,
        view_id: str,
        values: Json,
        *,
        forge: Forge = HONEST,
    ) -> Signed:
        view = self._view(view_id)
        view.values = filled(view, values)
        payload = shapes.submission(self._state, user, view, forge)
        return self._sign_payload(payload, forge)

    async def close(self, user: str, view_id: str) -> None:
        """Close a modal; the app hears of it if it asked to."""
        view = self._view(view_id)
        views.close(self._state, view)
        if view.content.get("notify_on_close"):
            payload = shapes.closing(self._state, user, view, HONEST)
            await self.send(self._sign_payload(payload))

    # -- commands and events ------------------------------------------------------------------

    async def command(
        self, user: str, channel: str, name: str, text: str = "", *, forge: Forge = HONEST
    ) -> Answer:
        """Type a slash command; what the app answers at once is shown as Slack shows it."""
        answer = await self.send(self.prepare_command(user, channel, name, text, forge=forge))
        self._show_reply(user, channel, name, answer)
        return answer

    def prepare_command(
        self,
        user: str,
        channel: str,
        name: str,
        text: str = "",
        *,
        forge: Forge = HONEST,
    ) -> Signed:
        fields = shapes.command(self._state, user, channel, name, text, forge)
        return sign_form(fields, secret=forge.secret or self.signing_secret, at=self._at(forge))

    async def open_home(self, user: str) -> Answer:
        """Look at the app's home tab."""
        inner = {"type": "app_home_opened", "user": user, "tab": "home", "channel": f"D{user[1:]}"}
        return await self.send(self.prepare_event({**inner, "event_ts": self._state.new_ts()}))

    def prepare_event(self, inner: Json, *, forge: Forge = HONEST) -> Signed:
        """Sign an Events API delivery of *inner*."""
        body = json.dumps(shapes.event(self._state, inner, forge)).encode()
        return sign(
            body, "application/json", secret=forge.secret or self.signing_secret, at=self._at(forge)
        )

    # -- sending ------------------------------------------------------------------------------

    async def send(self, signed: Signed) -> Answer:
        """Send exactly these bytes to the app; again and again, if that is the test."""
        if self._state.sockets.enabled:
            said = await self._state.sockets.deliver(*as_envelope(signed))
            return Answer(0, "") if said is None else Answer(200, json.dumps(said) if said else "")
        if self.events_url is None:
            raise RuntimeError("events_url is not set: there is no app to send to")
        try:
            async with (
                asyncio.timeout(ACK_S),
                self._session.post(
                    self.events_url, data=signed.body, headers=signed.headers
                ) as response,
            ):
                return Answer(response.status, await response.text())
        except (TimeoutError, aiohttp.ClientError):
            return Answer(0, "")

    def _sign_payload(self, payload: Json, forge: Forge = HONEST) -> Signed:
        fields = {"payload": json.dumps(payload)}
        secret = forge.secret or self.signing_secret
        return sign_form(fields, secret=secret, at=self._at(forge))

    def _at(self, forge: Forge) -> float:
        return self._state.now() if forge.at is None else forge.at

    # -- what the app answers -----------------------------------------------------------------

    def _obey(self, user: str, view: View, said: Json) -> None:
        action = said.get("response_action")
        if action == "errors":
            view.errors = {str(block): str(text) for block, text in said["errors"].items()}
            self._state.touch()
        elif action == "update":
            views.replace(self._state, view, views.checked(self._state, said["view"], "update"))
        elif action == "push":
            content = views.checked(self._state, said["view"], "push")
            views.put(self._state, user, content, below=view)
        elif action == "clear":
            views.close(self._state, *self._state.views_of(user))
        else:
            views.close(self._state, view)

    def _show_reply(self, user: str, channel: str, name: str, answer: Answer) -> None:
        if not answer.ok:
            self._state.trouble(user, f"{name} failed with the error “{_why(answer)}”")
            return
        text, blocks, to_all = _command_reply(answer.body)
        if text or blocks:
            hook = Hook(channel, user, "", "", self._state.now())
            hooks.show(self._state, hook, text, blocks, to_all=to_all)

    # -- finding ------------------------------------------------------------------------------

    def _message(self, ts: str, channel: str) -> Message:
        everything = self._state.everything()
        found = [m for m in everything if m.ts == ts and channel in {"", m.channel}]
        if not found:
            raise NoSuchButton(f"there is no message {ts}")
        return found[0]

    def _view(self, view_id: str) -> View:
        homes = {view.id: view for view in self._state.homes.values()}
        return {**homes, **self._state.views}[view_id]


def _command_reply(body: str) -> tuple[str, list[Json], bool]:
    """Text, blocks and whether all may see it: the body is JSON, or just text."""
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        return body, [], False
    if not isinstance(said, dict):
        return body, [], False
    return (
        str(said.get("text") or ""),
        said.get("blocks") or [],
        said.get("response_type") == "in_channel",
    )


def _why(answer: Answer) -> str:
    return "operation_timeout" if answer.status == 0 else f"dispatch_failed, status {answer.status}"
