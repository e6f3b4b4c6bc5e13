"""What stands in the workspace: messages, files, open views; and what was seen on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.blockkit import Problem

Json = dict[str, Any]


class SlackError(Exception):
    """Slack says no: `code` is its `error`, *more* stands beside it in the answer."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


@dataclass
class File:
    """An uploaded file; people see it where it is shared."""

    id: str
    name: str
    length: int
    snippet_type: str = ""
    alt_text: str = ""
    title: str = ""
    content: bytes | None = None  # None until the bytes were uploaded
    shares: dict[str, list[Json]] = field(default_factory=dict)  # channel -> [{ts, thread_ts}]
    completed: bool = False

    @property
    def text(self) -> str:
        return (self.content or b"").decode("utf-8", "replace")

    @property
    def is_png(self) -> bool:
        return (self.content or b"").startswith(b"\x89PNG\r\n\x1a\n")

    def as_json(self) -> Json:
        shares = {"public": self.shares} if self.shares else {}
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "size": self.length,
            "mode": "snippet" if self.snippet_type else "hosted",
            "filetype": self.snippet_type or ("png" if self.is_png else "text"),
            "alt_txt": self.alt_text,
            "shares": shares,
            "channels": list(self.shares),
        }


@dataclass
class Message:
    """A message in a channel; `thread_ts` is its parent's ts in a reply, and "" otherwise.

    The bot's own messages carry its bot user as `user`, and `bot_id`.
    `only_for` is the one person who sees an ephemeral message, and "" for all others.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str = ""
    metadata: Json | None = None
    files: list[File] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    bot_id: str = ""
    app_id: str = ""
    edited_ts: str = ""
    only_for: str = ""
    deleted: bool = False
    options: Json = field(default_factory=dict)  # parse, link_names, unfurl_links … as sent
    updates: int = 0  # how often chat.update has rewritten it

    def as_json(self, *, team: str, metadata: bool = False) -> Json:
        shown: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text}
        if self.bot_id:
            shown |= {"bot_id": self.bot_id, "app_id": self.app_id}
        shown["team"] = team
        if self.deleted:
            shown["subtype"] = "tombstone"
        if self.blocks:
            shown["blocks"] = self.blocks
        if self.attachments:
            shown["attachments"] = self.attachments
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.files:
            shown["files"] = [file.as_json() for file in self.files]
        if self.edited_ts:
            shown["edited"] = {"user": self.user, "ts": self.edited_ts}
        if self.metadata and metadata:
            shown["metadata"] = self.metadata
        return shown


@dataclass
class View:
    """A modal that *user* has open, or their App Home; `content` is what the app sent."""

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str = ""
    values: Json = field(default_factory=dict)  # block_id -> action_id -> {type, value}
    errors: dict[str, str] = field(default_factory=dict)  # block_id -> the app's complaint
    offered: dict[str, list[Json]] = field(default_factory=dict)  # action_id -> options looked up

    def as_json(self, *, team: str, app: str, bot: str) -> Json:
        plain: Json = {"private_metadata": "", "callback_id": "", "external_id": "", "title": None}
        plain |= {"submit": None, "close": None}
        own: Json = {
            "id": self.id,
            "team_id": team,
            "app_id": app,
            "bot_id": bot,
            "hash": self.hash,
        }
        own |= {"root_view_id": self.root_id, "previous_view_id": self.previous_id or None}
        own |= {"app_installed_team_id": team, "state": {"values": self.values}}
        defaults = {"clear_on_close": False, "notify_on_close": False}
        return {**plain, **defaults, **self.content, **own}


@dataclass(frozen=True)
class Call:
    """One Web API call that came in. `outcome` is "ok", Slack's error code, or the fault's name."""

    method: str
    arguments: Json
    status: int
    outcome: str
    at: float


@dataclass(frozen=True)
class Complaint:
    """A broken Block Kit rule in what the app sent by *method*."""

    method: str
    problem: Problem


@dataclass(frozen=True)
class Trouble:
    """What Slack itself shows a person when the app did not answer well."""

    user: str
    text: str
    at: float
