"""Versions, their tags, and which of them are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from store.records.places import AppEnv

DRAFT_KEPT, DRAFT_SEEN = "draft", "seen"  # external ids of drafts: a rollback's, and the clock's


class VersionKind(StrEnum):
    """What a stored document was in its target."""

    PUBLISHED = "published"
    DRAFT = "draft"
    MODEL_CONFIG = "model_config"


class VersionSource(StrEnum):
    """How a version came to be live."""

    PUBLISHED = "published"  # somebody published it in the target
    ROLLBACK = "rollback"  # a rollback of ours published it
    PUT_BACK = "put_back"  # a rollback of ours published it again, since another app did not follow
    DRIFT = "drift"  # live changed without a publish that the target can name
    IMPORTED = "imported"


@dataclass(frozen=True)
class NewVersion:
    """What is known of a document when it is recorded; the store adds id, number and roots."""

    where: AppEnv
    kind: VersionKind
    source: VersionSource
    external_id: str
    external_hash: str
    published_at: datetime
    external_name: str = ""
    external_comment: str = ""
    author: str = ""
    number: int | None = None  # None: the next free one (published); drafts never have one


@dataclass(frozen=True)
class Version:
    """One stored document of one app@env; immutable. `number` is None for drafts alone."""

    id: int
    where: AppEnv
    number: int | None
    kind: VersionKind
    source: VersionSource
    root: str
    meaning: str
    external_id: str
    external_hash: str
    published_at: datetime
    recorded_at: datetime
    external_name: str = ""
    external_comment: str = ""
    author: str = ""

    @property
    def target_id(self) -> str:
        """The id by which the target knows it: of drift, that of what was changed."""
        drift = self.source is VersionSource.DRIFT
        return self.external_id.rpartition("~")[0] if drift else self.external_id


@dataclass(frozen=True)
class Tag:
    """A name that a person gave a version of *where*; `user_id` is theirs."""

    where: AppEnv
    name: str
    version_id: int
    user_id: str
    since: datetime


@dataclass(frozen=True)
class Search:
    """Which versions of a history are asked for; what is left empty lets every one through.

    `text` is looked for in name and comment, `author` in the author's name, both anywhere and in
    small or capital letters alike (SQLite knows that of ASCII letters alone). `tag` is a whole
    name. Times are those of publishing, from `since` on and before `until`.
    """

    text: str = ""
    author: str = ""
    tag: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        return self == EVERYTHING


EVERYTHING = Search()
