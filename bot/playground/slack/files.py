"""files.*: an address to upload to, the bytes, and sharing a moment later.

Sharing is asynchronous (bolt-js#2115, python-slack-sdk#1329): `shares` is empty in the answer of
files.completeUploadExternal and filled when files.info is asked later.
"""

from __future__ import annotations

import asyncio

from bot.playground.slack.arguments import Arguments
from bot.playground.slack.posting import checked_blocks
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import File, Json, Message, SlackError


def upload_url(state: SlackState, args: Arguments) -> Json:
    """files.getUploadURLExternal."""
    length = args.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments")
    file = File(state.new_id("F"), args.need("filename"), length)
    file.snippet_type = args.text("snippet_type")
    file.alt_text = args.text("alt_txt")
    token = state.new_id("upload")
    state.files[file.id] = file
    state.uploads[token] = file.id
    return {"upload_url": f"{state.url}upload/v1/{token}", "file_id": file.id}


def receive(state: SlackState, token: str, content: bytes) -> File | None:
    """Keep the bytes that came in at an upload address; None for an address not given out.

    Raises:
        SlackError: Their number is not the one announced.
    """
    file = state.files.get(state.uploads.get(token, ""))
    if file is not None:
        if len(content) != file.length:
            raise SlackError("file_size_mismatch")
        file.content = content
        state.touch()
    return file


def complete(state: SlackState, args: Arguments) -> Json:
    """files.completeUploadExternal: the files are there now, and in the channel in a moment."""
    files = [_uploaded(state, entry) for entry in _entries(args)]
    blocks = checked_blocks(
        state,
        args.json("blocks", otherwise="invalid_blocks_format"),
        "files.completeUploadExternal",
    )
    if channel_id := args.text("channel_id") or args.text("channels"):
        channel = state.own_channel(channel_id)
        thread = args.text("thread_ts")
        parent = state.message(channel.id, thread) if thread else None
        if thread and (parent is None or parent.thread_ts not in {"", thread}):
            raise SlackError(
                "thread_not_found"
            )  # a reply's ts will not do: it must be the parent's
        message = _carrier(state, channel.id, files)
        message.text, message.blocks, message.thread_ts = (
            args.text("initial_comment"),
            blocks,
            thread,
        )
        loop = asyncio.get_running_loop()
        loop.call_later(state.share_delay_s, _share, state, message, parent)
    answer = [{**file.as_json(), "shares": {}} for file in files]
    for file in files:
        file.completed = True
    return {"files": answer}


def info(state: SlackState, args: Arguments) -> Json:
    """files.info: what is known of a file whose upload was completed."""
    file = state.files.get(args.need("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    return {"file": file.as_json(), "content": file.text}


def _entries(args: Arguments) -> list[Json]:
    entries = args.json("files", otherwise="invalid_arguments")
    if not isinstance(entries, list) or not entries:
        raise SlackError("invalid_arguments")
    return [entry for entry in entries if isinstance(entry, dict)]


def _uploaded(state: SlackState, entry: Json) -> File:
    file = state.files.get(str(entry.get("id")))
    if file is None or file.completed or file.content is None:
        raise SlackError("file_not_found")
    file.title = str(entry.get("title") or file.name)
    return file


def _carrier(state: SlackState, channel: str, files: list[File]) -> Message:
    return Message(
        channel,
        state.new_ts(),
        state.bot_user,
        "",
        files=files,
        bot_id=state.bot,
        app_id=state.app,
    )


def _share(state: SlackState, message: Message, parent: Message | None) -> None:
    if parent is not None:
        parent.thread_ts = parent.ts
    message.ts = state.new_ts()
    for file in message.files:
        share = {"ts": message.ts} | ({"thread_ts": parent.ts} if parent else {})
        file.shares.setdefault(message.channel, []).append(share)
    state.add(message)
