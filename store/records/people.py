"""Whom Keyturn writes to alone, and their App Home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from store.records.values import Json


@dataclass(frozen=True)
class DirectCall:
    """A person is called to vote on a rollback; `code` says for what (see `bot.domain.calling`).

    The message that told it stands in `channel` under `ts`, both empty before; `said` is how it
    was told there last. Nothing is told any more of what is `over`.
    """

    id: int
    slack_id: str
    rollback_id: int
    code: str
    made_at: datetime
    channel: str = ""
    ts: str = ""
    said: str = ""
    over: bool = False


@dataclass(frozen=True)
class Addressee:
    """A person whom direct messages are for, whom a worker holds; `off`: they want none."""

    slack_id: str
    off: bool
    told_at: datetime | None
    attempts: int


@dataclass(frozen=True)
class Home:
    """One person's App Home that a worker holds, to be drawn.

    `said` is a sentence for them alone, as `{code, facts}`, until they open it again. `asked`
    says that they, or what they did, asked for it; else something in the store has changed.
    `mark` is where the store stood, `hash` Slack's of what stands there, and `substance` tells
    whether another drawing says anything new.
    """

    slack_id: str
    team_id: str
    page: int
    said: Mapping[str, Json] | None
    wanted: int
    asked: bool
    mark: str
    hash: str
    substance: str
    attempts: int
