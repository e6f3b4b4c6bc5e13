"""response_url: five posts within thirty minutes, ephemeral unless asked otherwise.

Rules: docs.slack.dev/interactivity/handling-user-interaction.
"""

from __future__ import annotations

from bot.playground.slack.posting import checked_blocks
from bot.playground.slack.state import Hook, SlackState
from bot.playground.slack.things import Json, Message, SlackError

POSTS, LIFETIME_S = 5, 30 * 60


def respond(state: SlackState, token: str, said: object) -> None:
    """Do what the app asks for at a response_url. Raises `SlackError` when it is not allowed."""
    if not isinstance(said, dict):
        raise SlackError("invalid_payload")
    hook = state.hooks.get(token)
    if hook is None or state.now() - hook.at > LIFETIME_S:
        raise SlackError("expired_url")
    if hook.posts >= POSTS:
        raise SlackError("used_url")
    hook.posts += 1
    original = state.message(hook.channel, hook.message_ts) if hook.message_ts else None
    if said.get("delete_original"):
        if original is not None:
            state.remove(original)
        return
    text, blocks = _content(state, said)
    if said.get("replace_original") and original is not None:
        original.text, original.blocks = text, blocks
        state.touch()
        return
    show(state, hook, text, blocks, to_all=said.get("response_type") == "in_channel")


def show(state: SlackState, hook: Hook, text: str, blocks: list[Json], *, to_all: bool) -> None:
    """Post the app's answer to the person of *hook* alone, or to the channel."""
    state.add(
        Message(
            channel=hook.channel,
            ts=state.new_ts(),
            user=state.bot_user,
            text=text,
            blocks=blocks,
            thread_ts=hook.thread_ts,
            bot_id=state.bot,
            app_id=state.app,
            only_for="" if to_all else hook.user,
        )
    )


def _content(state: SlackState, said: Json) -> tuple[str, list[Json]]:
    text, blocks = said.get("text") or "", said.get("blocks")
    if not text and not blocks:
        raise SlackError("no_text")
    return str(text), checked_blocks(state, blocks, "response_url")
