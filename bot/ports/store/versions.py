"""Versions, their tags, and the apps that were included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Protocol

from store.differing import Differing
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    IncludedApp,
    NewVersion,
    Search,
    Tag,
    Version,
)


class Versions(Protocol):
    """Documents by content, and the numbered history of each app@env."""

    async def record(self, new: NewVersion, document: Document) -> Version:
        """Store *document* as a version; what is stored already is returned unchanged.

        Known by (app, env, kind, external_id) for published versions; a draft is known by
        (app, env, root): the same draft content is one row.
        """
        ...

    async def get(self, version_id: int) -> Version: ...
    async def document(self, version_id: int) -> Document:
        """The document, checked against its root. Raises `Missing`, `Corrupt`."""
        ...

    async def differing(self, old: Version, new: Version) -> Differing:
        """Two versions as far as they differ; only what differs, or is not known, is read.

        Raises `Corrupt`.
        """
        ...

    def known(self, rows: Set[int]) -> None:
        """Show these parts, of `Differing.shared`, no more to anybody in this process."""
        ...

    async def newest(self, where: AppEnv) -> Version | None:
        """The numbered version with the highest number."""
        ...

    async def numbered(self, where: AppEnv, number: int) -> Version | None: ...
    async def by_external(self, where: AppEnv, external_id: str) -> Version | None: ...
    async def history(
        self,
        where: AppEnv,
        *,
        limit: int = 50,
        before: int | None = None,
        search: Search = ...,
    ) -> list[Version]:
        """Numbered versions, newest first, below number *before*; at most *limit*."""
        ...

    async def meanings_since(self, older: Version, newer: Version) -> frozenset[str]:
        """What was published of their app after *older*, up to *newer* and with it."""
        ...

    async def drafts(self, where: AppEnv, *, limit: int = 50) -> list[Version]:
        """Drafts by when they were last seen, newest first; at most *limit*."""
        ...

    async def stored(
        self, *, after: int = 0, limit: int = 100, where: AppEnv | None = None
    ) -> list[Version]:
        """Versions and drafts, of *where* or of all apps, by id above *after*; at most *limit*."""
        ...

    async def newest_target_ids(self) -> dict[AppEnv, str]:
        """The id by which targets know the newest numbered version, of every app@env."""
        ...

    async def newest_of_all(self) -> dict[AppEnv, Version]:
        """The numbered version with the highest number, of every app@env."""
        ...

    async def condemned(self, where: AppEnv) -> frozenset[str]:
        """Meanings that must not be suggested here."""
        ...

    async def condemn(
        self, where: AppEnv, meaning: str, *, rollback_id: int | None, entry: AuditDraft
    ) -> None:
        """Condemn *meaning*; condemning it twice is one row."""
        ...

    async def lift(self, where: AppEnv, meaning: str, *, entry: AuditDraft) -> None:
        """Let *meaning* be suggested again; nothing, if it was not condemned."""
        ...

    async def import_mark(self, where: AppEnv) -> int | None:
        """The lowest number imported so far; None before first contact."""
        ...


class Tags(Protocol):
    """Names of versions; each stands on one version of its app@env at a time."""

    async def of(self, where: AppEnv) -> list[Tag]:
        """The tags of *where*, by name."""
        ...

    async def named(self, where: AppEnv, name: str) -> Tag | None: ...
    async def hold(self, where: AppEnv, name: str) -> Tag | None:
        """The tag as `named` has it; nobody moves it before this transaction ends."""
        ...

    async def put(self, version: Version, name: str, *, entry: AuditDraft) -> None:
        """Let the tag *name* of the version's app@env stand on *version*, with *entry*."""
        ...

    async def remove(self, tag: Tag, *, entry: AuditDraft) -> None:
        """Take *tag* away, with *entry*. Raises `Missing` when it is gone, or stands elsewhere."""
        ...


class Included(Protocol):
    """Apps that are watched without a table of their own."""

    async def all(self) -> list[IncludedApp]:
        """Every app that was ever taken over, by its name; also those that are gone."""
        ...

    async def save(
        self, apps: Iterable[IncludedApp], *, entry: Callable[[IncludedApp], AuditDraft | None]
    ) -> list[IncludedApp]:
        """Store *apps* as they are now; return those that were otherwise, each with its *entry*.

        Raises:
            Stale: The name belongs to another app of a target: somebody else gave it away.
        """
        ...
