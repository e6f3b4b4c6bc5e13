"""The JSON that Slack sends for a click, a submission, a command and an event.

Shapes: docs.slack.dev/reference/interaction-payloads,
docs.slack.dev/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, Message, View


@dataclass(frozen=True)
class Forge:
    """What is false in a request; an empty one is what Slack itself would send.

    `value` replaces the value that the button really has, `at` the time of signing (seconds
    since the epoch), `secret` the signing secret; the rest is whom it claims to come from.
    """

    team: str = ""
    app: str = ""
    user_team: str = ""
    enterprise: str = ""
    value: str | None = None
    at: float | None = None
    secret: str = ""


HONEST = Forge()


def click(state: SlackState, user: str, message: Message, button: Json, forge: Forge) -> Json:
    """`block_actions` from a button of *message*."""
    sent = ("type", "action_id", "block_id", "text", "value", "style")
    action = {name: button[name] for name in sent if name in button}
    if forge.value is not None:
        action["value"] = forge.value
    container = {"type": "message", "message_ts": message.ts, "channel_id": message.channel}
    thread = message.thread_ts if message.thread_ts != message.ts else ""
    payload: Json = {
        "type": "block_actions",
        **_common(state, user, forge),
        "container": {**container, "is_ephemeral": bool(message.only_for)},
        "channel": {"id": message.channel, "name": state.channels[message.channel].name},
        "response_url": state.new_hook(message.channel, user, message.ts, thread),
        "state": {"values": {}},
        "actions": [{**action, "action_ts": state.new_ts()}],
    }
    if not message.only_for:
        payload["message"] = message.as_json(team=state.team)
    return payload


def view_click(state: SlackState, user: str, view: View, button: Json, forge: Forge) -> Json:
    """`block_actions` from a button inside a modal or App Home."""
    return {
        "type": "block_actions",
        **_common(state, user, forge),
        "container": {"type": "view", "view_id": view.id},
        "view": view.as_json(team=state.team, app=state.app, bot=state.bot),
        "actions": [{**button, "action_ts": state.new_ts()}],
    }


def chosen(state: SlackState, user: str, view: View, element: Json, option: Json) -> Json:
    """`block_actions` from a choice in a modal: the element with what is chosen now."""
    sent = {name: element[name] for name in ("type", "action_id", "block_id")}
    return view_click(state, user, view, {**sent, "selected_option": option}, HONEST)


def suggestion(state: SlackState, user: str, view: View, element: Json, typed: str) -> Json:
    """`block_suggestion`: what somebody typed into a menu whose options the app knows."""
    common = _common(state, user, HONEST)
    del common["trigger_id"]  # nothing opens because somebody types
    return {
        "type": "block_suggestion",
        **common,
        "container": {"type": "view", "view_id": view.id},
        "view": view.as_json(team=state.team, app=state.app, bot=state.bot),
        "action_id": element["action_id"],
        "block_id": element["block_id"],
        "value": typed,
    }


def submission(state: SlackState, user: str, view: View, forge: Forge) -> Json:
    """`view_submission`, with the values that stand in *view*."""
    shown = view.as_json(team=state.team, app=state.app, bot=state.bot)
    return {
        "type": "view_submission",
        **_common(state, user, forge),
        "view": shown,
        "response_urls": [],
    }


def closing(state: SlackState, user: str, view: View, forge: Forge) -> Json:
    """`view_closed`, which comes only when the view asked for it."""
    shown = view.as_json(team=state.team, app=state.app, bot=state.bot)
    return {
        "type": "view_closed",
        **_common(state, user, forge),
        "view": shown,
        "is_cleared": False,
    }


def command(
    state: SlackState, user: str, channel: str, name: str, text: str, forge: Forge
) -> dict[str, str]:
    """The form fields of a slash command."""
    account = state.users.get(user)
    return {
        "token": "legacy-verification-token",
        "team_id": forge.team or state.team,
        "team_domain": state.domain,
        "channel_id": channel,
        "channel_name": state.channels[channel].name if channel in state.channels else "",
        "user_id": user,
        "user_name": account.name if account else "",
        "command": name,
        "text": text,
        "api_app_id": forge.app or state.app,
        "is_enterprise_install": "false",
        "response_url": state.new_hook(channel, user),
        "trigger_id": state.new_trigger(user),
    }


def event(state: SlackState, inner: Json, forge: Forge) -> Json:
    """An Events API envelope around *inner*."""
    return {
        "token": "legacy-verification-token",
        "team_id": forge.team or state.team,
        "api_app_id": forge.app or state.app,
        "event": inner,
        "type": "event_callback",
        "event_id": state.new_id("Ev"),
        "event_time": int(state.now()),
        "authorizations": [
            {"team_id": forge.team or state.team, "user_id": state.bot_user, "is_bot": True}
        ],
    }


def _common(state: SlackState, user: str, forge: Forge) -> Json:
    account = state.users.get(user)
    name = account.name if account else "unknown"
    user_team = forge.user_team or (account.team_id if account else state.team)
    enterprise = {"id": forge.enterprise, "name": "grid"} if forge.enterprise else None
    return {
        "team": {"id": forge.team or state.team, "domain": state.domain},
        "user": {"id": user, "username": name, "name": name, "team_id": user_team},
        "api_app_id": forge.app or state.app,
        "token": "legacy-verification-token",
        "trigger_id": state.new_trigger(user),
        "enterprise": enterprise,
        "is_enterprise_install": False,
    }
