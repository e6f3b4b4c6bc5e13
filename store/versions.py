"""The numbered history of each app@env, its drafts, and what is condemned."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    func,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import happened
from store.announcements import Announcements
from store.audit import Audit
from store.clock import DatabaseClock
from store.contents import Contents
from store.differing import Differing
from store.document import Document
from store.records import (
    DRAFT_KEPT,
    EVERYTHING,
    AppEnv,
    AuditDraft,
    Missing,
    NewVersion,
    Search,
    Stale,
    Version,
    VersionKind,
    VersionSource,
)
from store.remembered import Remembered
from store.tables import CondemnedRow, TagRow, VersionRow
from store.upsert import insert, insert_new

_SEEN_AGAIN = timedelta(hours=12)  # a draft that was marked within it is not marked again
_VERSION = VersionRow.metadata.tables["version"]  # its rows are half as dear as the class's
_COLUMNS = tuple(_VERSION.columns.keys())
_TRIES = 20  # each lost one means that somebody else recorded a version


class Versions:
    """Versions of documents; the documents themselves are kept by content."""

    def __init__(
        self,
        session: AsyncSession,
        now: DatabaseClock,
        audit: Audit,
        announcements: Announcements,
        remembered: Remembered,
    ) -> None:
        self._session = session
        self._now = now
        self._audit = audit
        self._announcements = announcements
        self._contents = Contents(session, remembered)

    def committed(self) -> None:
        """Remember what was written, now that the transaction was committed."""
        self._contents.committed()

    async def record(self, new: NewVersion, document: Document) -> Version:
        """Store *document* as a version; what is stored already is returned unchanged.

        A published version is known by its external id, a draft by its root. Without a number
        a published version gets the next free one. A draft that is seen again, or kept by a
        rollback, is marked so.

        Raises:
            Stale: The number belongs to another version.
        """
        known, newest = await self._before(new, document)
        if known is not None:
            return known
        await self._contents.keep(document, like=newest.root if newest else None)
        for _ in range(_TRIES):
            recorded = await self._insert(new, document, newest)
            if recorded is not None:
                await self._announce(recorded, imported=_is_older(recorded, newest))
                return recorded
            known = await self._known(new, document)
            if known is not None:
                return known
            newest = await self.newest(new.where)
        raise Stale(f"number {new.number or ''} of {new.where} was given to another version")

    async def get(self, version_id: int) -> Version:
        """Raises `Missing`."""
        row = await self._session.get(VersionRow, version_id)
        if row is None:
            raise Missing(f"version {version_id}")
        return _version(row)

    async def document(self, version_id: int) -> Document:
        """The document, checked against its root. Raises `Missing`, `Corrupt`."""
        return await self._contents.document((await self.get(version_id)).root)

    async def differing(self, old: Version, new: Version) -> Differing:
        """Two versions as far as they differ.

        Raises:
            Corrupt: Something that has to be read is damaged.
        """
        return await self._contents.differing(old.root, new.root)

    def known(self, rows: Set[int]) -> None:
        """Show these parts, of `Differing.shared`, no more to anybody in this process."""
        self._contents.known(rows)

    async def newest(self, where: AppEnv) -> Version | None:
        """The numbered version with the highest number."""
        found = await self.history(where, limit=1)
        return found[0] if found else None

    async def numbered(self, where: AppEnv, number: int) -> Version | None:
        return await self._one(_of(where).where(col(VersionRow.number) == number))

    async def by_external(self, where: AppEnv, external_id: str) -> Version | None:
        published = col(VersionRow.number).is_not(None)
        return await self._one(
            _of(where).where(published, col(VersionRow.external_id) == external_id)
        )

    async def history(
        self,
        where: AppEnv,
        *,
        limit: int = 50,
        before: int | None = None,
        search: Search = EVERYTHING,
    ) -> list[Version]:
        """Numbered versions, newest first, below number *before*; at most *limit*."""
        query = _of(where).where(col(VersionRow.number).is_not(None), *_matching(where, search))
        if before is not None:
            query = query.where(col(VersionRow.number) < before)
        newest = query.order_by(_VERSION.c.number.desc()).limit(limit)
        return [_version(row) for row in await self._session.execute(newest)]

    async def meanings_since(self, older: Version, newer: Version) -> frozenset[str]:
        """What was published of their app after *older*, up to *newer* and with it."""
        number = _VERSION.c.number
        between = _of(newer.where).where(number > older.number, number <= newer.number)
        found = await self._session.scalars(between.with_only_columns(_VERSION.c.meaning))
        return frozenset(found)

    async def drafts(self, where: AppEnv, *, limit: int = 50) -> list[Version]:
        """Drafts by when they were last seen, newest first; at most *limit*."""
        query = _of(where).where(col(VersionRow.number).is_(None))
        newest = (col(VersionRow.recorded_at).desc(), col(VersionRow.id).desc())
        rows = await self._session.execute(query.order_by(*newest).limit(limit))
        return [_version(row) for row in rows]

    async def stored(
        self, *, after: int = 0, limit: int = 100, where: AppEnv | None = None
    ) -> list[Version]:
        """Versions and drafts, of *where* or of all apps, by id above *after*; at most *limit*."""
        query = select(_VERSION) if where is None else _of(where)
        query = query.where(col(VersionRow.id) > after).order_by(col(VersionRow.id)).limit(limit)
        return [_version(row) for row in await self._session.execute(query)]

    async def count(self) -> int:
        """How many numbered versions are stored, of all apps."""
        query = select(func.count()).select_from(VersionRow)
        return await self._session.scalar(query.where(col(VersionRow.number).is_not(None))) or 0

    async def newest_target_ids(self) -> dict[AppEnv, str]:
        """The id by which targets know the newest numbered version, of every app@env."""
        return {where: version.target_id for where, version in (await self.newest_of_all()).items()}

    async def newest_of_all(self) -> dict[AppEnv, Version]:
        """The numbered version with the highest number, of every app@env."""
        newest = (
            select(col(VersionRow.app), col(VersionRow.env), func.max(VersionRow.number).label("n"))
            .where(col(VersionRow.number).is_not(None))
            .group_by(col(VersionRow.app), col(VersionRow.env))
            .subquery()
        )
        rows = await self._session.execute(
            select(_VERSION).join(
                newest,
                (_VERSION.c.app == newest.c.app)
                & (_VERSION.c.env == newest.c.env)
                & (_VERSION.c.number == newest.c.n),
            )
        )
        versions = map(_version, rows)
        return {version.where: version for version in versions}

    async def import_mark(self, where: AppEnv) -> int | None:
        """The lowest number imported so far; None before first contact."""
        lowest: int | None = await self._session.scalar(
            select(func.min(VersionRow.number)).where(
                col(VersionRow.app) == where.app, col(VersionRow.env) == where.env
            )
        )
        return lowest

    async def condemned(self, where: AppEnv) -> frozenset[str]:
        """Meanings that must not be suggested here."""
        found = await self._session.scalars(
            select(col(CondemnedRow.meaning)).where(
                col(CondemnedRow.app) == where.app, col(CondemnedRow.env) == where.env
            )
        )
        return frozenset(found)

    async def condemn(
        self, where: AppEnv, meaning: str, *, rollback_id: int | None, entry: AuditDraft
    ) -> None:
        """Condemn *meaning*, with its audit entry; condemning it twice is one row."""
        row = {
            "app": where.app,
            "env": where.env,
            "meaning": meaning,
            "rollback_id": rollback_id,
            "since": await self._now(),
        }
        done = await self._session.execute(
            insert(self._session, CondemnedRow)
            .values(row)
            .on_conflict_do_nothing()
            .returning(col(CondemnedRow.meaning))
        )
        if done.first() is not None:
            await self._audit.append(entry)
            said = (happened.CONDEMNED, happened.judged(meaning, rollback_id))
            await self._announcements.add(where, _of_meaning(meaning), [said])

    async def lift(self, where: AppEnv, meaning: str, *, entry: AuditDraft) -> None:
        """Let *meaning* be suggested again, with the audit entry, if it was condemned."""
        done = await self._session.execute(
            delete(CondemnedRow)
            .where(
                col(CondemnedRow.app) == where.app,
                col(CondemnedRow.env) == where.env,
                col(CondemnedRow.meaning) == meaning,
            )
            .returning(col(CondemnedRow.meaning))
            .execution_options(synchronize_session=False)
        )
        if done.first() is not None:
            await self._audit.append(entry)
            said = (happened.LIFTED, happened.judged(meaning, None))
            await self._announcements.add(where, _of_meaning(meaning), [said])

    # -- how ------------------------------------------------------------------------------------

    async def _announce(self, version: Version, *, imported: bool) -> None:
        said = happened.recorded(version, imported=imported)
        if said:
            await self._announcements.add(version.where, f"version/{version.number}", said)

    async def _insert(
        self, new: NewVersion, document: Document, newest: Version | None
    ) -> Version | None:
        """Number it after *newest*.

        None when another replica stored this version, or took its number, in this moment.
        """
        numbered = new.kind is not VersionKind.DRAFT
        row = {
            "app": new.where.app,
            "env": new.where.env,
            "kind": new.kind,
            "source": new.source,
            "number": (new.number or _number_after(newest)) if numbered else None,
            "root": document.root,
            "meaning": document.meaning,
            "external_id": new.external_id,
            "external_hash": new.external_hash,
            "external_name": new.external_name,
            "external_comment": new.external_comment,
            "author": new.author,
            "published_at": new.published_at,
            "recorded_at": await self._now(),
        }
        insertion = insert_new(self._session, _VERSION, returning=_COLUMNS)
        found = (await self._session.execute(insertion, row)).first()
        return _version(found) if found is not None else None

    async def _before(
        self, new: NewVersion, document: Document
    ) -> tuple[Version | None, Version | None]:
        """What is recorded: this very version, and the newest one."""
        if new.kind is VersionKind.DRAFT:
            return await self._known(new, document), await self.newest(new.where)
        this = {"of_app": new.where.app, "of_env": new.where.env, "this": new.external_id}
        rows = await self._session.execute(_THIS_AND_NEWEST, this)
        found = [_version(row) for row in rows]
        known = [version for version in found if version.external_id == new.external_id]
        newest = max(found, key=lambda version: version.number or 0, default=None)
        return (known[0] if known else None), newest

    async def _known(self, new: NewVersion, document: Document) -> Version | None:
        if new.kind is VersionKind.DRAFT:
            return await self._known_draft(new, document.root)
        return await self.by_external(new.where, new.external_id)

    async def _known_draft(self, new: NewVersion, root: str) -> Version | None:
        """Mark it, which also holds it against being cleared away; None when it is not there."""
        same = (col(VersionRow.kind) == VersionKind.DRAFT, col(VersionRow.root) == root)
        known = await self._one(_of(new.where).where(*same).limit(1))
        now = await self._now()
        kept = new.external_id == DRAFT_KEPT
        if known is None or not (kept or known.recorded_at < now - _SEEN_AGAIN):
            return known
        marks = {"recorded_at": now, **({"external_id": DRAFT_KEPT} if kept else {})}
        marked = await self._session.execute(
            update(VersionRow)
            .where(col(VersionRow.id) == known.id)
            .values(marks)
            .returning(col(VersionRow.id))
            .execution_options(synchronize_session=False)
        )
        if marked.first() is None:
            return None
        return replace(
            known, recorded_at=now, external_id=DRAFT_KEPT if kept else known.external_id
        )

    async def _one(self, query: Select[*tuple[Any, ...]]) -> Version | None:
        row = (await self._session.execute(query)).first()
        return _version(row) if row is not None else None


def _is_older(version: Version, newest: Version | None) -> bool:
    """Whether *version* came from the history before *newest*, which was there first."""
    return newest is not None and (version.number or 0) < (newest.number or 0)


def _of_meaning(meaning: str) -> str:
    return f"meaning/{meaning[:16]}"


def _number_after(newest: Version | None) -> int:
    return (newest.number or 0) + 1 if newest else 1


def _this_and_newest() -> Any:
    """The version that is known by an external id, and the newest one: an index for each."""
    c = _VERSION.c
    here = (c.app == bindparam("of_app"), c.env == bindparam("of_env"), c.number.is_not(None))
    numbered = select(_VERSION).where(*here)
    highest = numbered.order_by(c.number.desc()).limit(1).subquery()
    return union_all(numbered.where(c.external_id == bindparam("this")), select(highest))


_THIS_AND_NEWEST = _this_and_newest()  # made once: SQLAlchemy knows it again


def _of(where: AppEnv) -> Select[*tuple[Any, ...]]:
    return select(_VERSION).where(_VERSION.c.app == where.app, _VERSION.c.env == where.env)


def _matching(where: AppEnv, search: Search) -> Iterator[ColumnElement[bool]]:
    if search.text:
        names = (VersionRow.external_name, VersionRow.external_comment)
        yield or_(*(col(name).icontains(search.text, autoescape=True) for name in names))
    if search.author:
        yield col(VersionRow.author).icontains(search.author, autoescape=True)
    if search.tag:
        tagged = select(col(TagRow.version_id)).where(
            col(TagRow.app) == where.app,
            col(TagRow.env) == where.env,
            col(TagRow.name) == search.tag,
        )
        yield col(VersionRow.id).in_(tagged)
    if search.since is not None:
        yield col(VersionRow.published_at) >= search.since
    if search.until is not None:
        yield col(VersionRow.published_at) < search.until


def _version(row: VersionRow | Row[*tuple[Any, ...]]) -> Version:
    assert row.id is not None  # noqa: S101  # it was flushed
    return Version(
        id=row.id,
        where=AppEnv(row.app, row.env),
        number=row.number,
        kind=VersionKind(row.kind),
        source=VersionSource(row.source),
        root=row.root,
        meaning=row.meaning,
        external_id=row.external_id,
        external_hash=row.external_hash,
        external_name=row.external_name,
        external_comment=row.external_comment,
        author=row.author,
        published_at=row.published_at,
        recorded_at=row.recorded_at,
    )
