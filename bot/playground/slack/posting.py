"""chat.*: what it takes to post, rewrite and take back a message.

Rules: docs.slack.dev/reference/methods/chat.postMessage, chat.update, chat.postEphemeral.
"""

from __future__ import annotations

from typing import Any

from bot import blockkit
from bot.blockkit import Problem
from bot.playground.slack.arguments import Arguments
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, Message, SlackError

TEXT_KEPT = 40_000  # chat.postMessage cuts longer text off; chat.update refuses it from 4 001 on
_OPTIONS = ("parse", "link_names", "unfurl_links", "unfurl_media", "mrkdwn", "reply_broadcast")


def post_message(state: SlackState, args: Arguments) -> Json:
    """chat.postMessage: to a channel, a thread, or a person."""
    channel = state.own_channel(args.need("channel"))
    said = _content(state, args, "chat.postMessage")
    thread = args.text("thread_ts")
    message = _ours(state, channel.id, said, args)
    message.thread_ts = _thread(state, channel.id, thread)
    message.metadata = _metadata(state, args, "chat.postMessage")
    state.add(message)
    shown = message.as_json(team=state.team, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(state: SlackState, args: Arguments) -> Json:
    """chat.postEphemeral: seen by one member of the channel, and by nobody later."""
    channel = state.own_channel(args.need("channel"))
    reader = args.need("user")
    if reader not in channel.members:
        raise SlackError("user_not_in_channel")
    message = _ours(state, channel.id, _content(state, args, "chat.postEphemeral"), args)
    message.thread_ts = args.text("thread_ts")
    message.only_for = reader
    return {"message_ts": state.add(message).ts}


def update(state: SlackState, args: Arguments) -> Json:
    """Replace the blocks whole; text without blocks drops them."""
    message = _own(state, args, "cant_update_message")
    said = _content(state, args, "chat.update")
    if len(said["text"]) > blockkit.MESSAGE_TEXT:
        raise SlackError("msg_too_long")
    message.text = said["text"]
    message.blocks = said["blocks"]
    message.attachments = said["attachments"]
    message.edited_ts = "" if said["blocks"] else state.new_ts()
    message.updates += 1
    if (metadata := _metadata(state, args, "chat.update")) is not None:
        message.metadata = metadata
    state.touch()
    shown = message.as_json(team=state.team)
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": shown}


def delete(state: SlackState, args: Arguments) -> Json:
    """Take the message back; what has replies stays as a tombstone."""
    message = _own(state, args, "cant_delete_message")
    if state.thread(message.channel, message.ts):
        message.text, message.blocks, message.deleted = "This message was deleted.", [], True
        state.touch()
    else:
        state.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def permalink(state: SlackState, args: Arguments) -> Json:
    """chat.getPermalink."""
    channel = state.channel(args.need("channel"))
    message = state.message(channel.id, args.need("message_ts"))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    return {"channel": channel.id, "permalink": state.permalink(message)}


def checked_blocks(state: SlackState, blocks: object, method: str) -> list[Json]:
    """Return *blocks* with the ids that Slack fills in, or refuse them and remember why."""
    if blocks is None:
        return []
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if found := blockkit.problems(blocks):
        state.complain(method, found)
        too_long = all("characters, at most" in p.text and not p.pointer for p in found)
        raise SlackError("msg_blocks_too_long" if too_long else "invalid_blocks", **says(found))
    return with_ids(state, blocks)


def says(found: list[Problem]) -> Json:
    """The part of Slack's answer that names broken rules."""
    errors = [str(problem) for problem in found]
    return {"errors": errors, "response_metadata": {"messages": [f"[ERROR] {e}" for e in errors]}}


def with_ids(state: SlackState, blocks: list[Any]) -> list[Json]:
    """Return a copy in which every block has a block_id and every element an action_id."""
    filled: list[Json] = []
    for block in blocks:
        shown = {**block}
        shown.setdefault("block_id", state.new_id("b"))
        if shown.get("type") == "actions":
            shown["elements"] = [_with_action(state, element) for element in shown["elements"]]
        for name in ("element", "accessory"):
            if isinstance(shown.get(name), dict) and shown[name].get("type") != "image":
                shown[name] = _with_action(state, shown[name])
        filled.append(shown)
    return filled


def _with_action(state: SlackState, element: Json) -> Json:
    return element if element.get("action_id") else {**element, "action_id": state.new_id("a")}


def _content(state: SlackState, args: Arguments, method: str) -> Json:
    blocks = args.json("blocks", otherwise="invalid_blocks_format")
    attachments = args.json("attachments", otherwise="invalid_attachments_format") or []
    if not isinstance(attachments, list):
        raise SlackError("invalid_attachments_format")
    if len(attachments) > blockkit.MESSAGE_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    text = args.text("text")
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    kept = checked_blocks(state, blocks, method)
    return {"text": text[:TEXT_KEPT], "blocks": kept, "attachments": attachments}


def _metadata(state: SlackState, args: Arguments, method: str) -> Json | None:
    given = args.json("metadata", otherwise="invalid_metadata_format")
    if given is None:
        return None
    payload = {"text": "x", "metadata": given}
    if found := blockkit.message_problems(payload):
        state.complain(method, found)
        raise SlackError("invalid_metadata_schema", **says(found))
    return given if isinstance(given, dict) else None


def _ours(state: SlackState, channel: str, said: Json, args: Arguments) -> Message:
    options = {name: args.given[name] for name in _OPTIONS if args.has(name)}
    return Message(
        channel=channel,
        ts=state.new_ts(),
        user=state.bot_user,
        bot_id=state.bot,
        app_id=state.app,
        options=options,
        **said,
    )


def _thread(state: SlackState, channel: str, ts: str) -> str:
    """The ts to file a reply under: a reply to a reply goes to the same parent."""
    if not ts:
        return ""
    parent = state.message(channel, ts)
    if parent is None or parent.only_for:
        raise SlackError("thread_not_found")
    parent.thread_ts = parent.thread_ts or parent.ts
    return parent.thread_ts


def _own(state: SlackState, args: Arguments, otherwise: str) -> Message:
    channel = state.channel(args.need("channel"))
    message = state.message(channel.id, args.need("ts"))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    if message.user != state.bot_user:
        raise SlackError(otherwise)
    return message
