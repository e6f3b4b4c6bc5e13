"""Tags: names that people give versions, each on one version of its app@env at a time."""

from __future__ import annotations

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import AppEnv, AuditDraft, Missing, Tag, Version
from store.tables import TagRow
from store.upsert import insert


class Tags:
    """Where the tags of each app@env stand now; their moves are in the audit chain."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def of(self, where: AppEnv) -> list[Tag]:
        """The tags of *where*, by name."""
        rows = await self._session.scalars(_of(where).order_by(col(TagRow.name)))
        return [_tag(row) for row in rows]

    async def named(self, where: AppEnv, name: str) -> Tag | None:
        row = (await self._session.scalars(_of(where).where(col(TagRow.name) == name))).first()
        return _tag(row) if row is not None else None

    async def hold(self, where: AppEnv, name: str) -> Tag | None:
        """The tag as `named` has it; nobody moves it before this transaction ends."""
        query = _of(where).where(col(TagRow.name) == name).with_for_update()
        row = (await self._session.scalars(query)).first()
        return _tag(row) if row is not None else None

    async def put(self, version: Version, name: str, *, entry: AuditDraft) -> None:
        """Let the tag *name* of the version's app@env stand on *version*, with *entry*."""
        placed = {
            "version_id": version.id,
            "user_id": entry.user_id,
            "since": await self._now(),
        }
        place = {"app": version.where.app, "env": version.where.env, "name": name}
        adding = insert(self._session, TagRow).values(place | placed)
        await self._session.execute(
            adding.on_conflict_do_update(index_elements=[*place], set_=placed)
        )
        await self._audit.append(entry)

    async def remove(self, tag: Tag, *, entry: AuditDraft) -> None:
        """Take *tag* away, with *entry*. Raises `Missing` when it is gone, or stands elsewhere."""
        found = await self._session.execute(
            delete(TagRow)
            .where(
                col(TagRow.app) == tag.where.app,
                col(TagRow.env) == tag.where.env,
                col(TagRow.name) == tag.name,
                col(TagRow.version_id) == tag.version_id,
            )
            .returning(col(TagRow.name))
        )
        if found.first() is None:
            raise Missing(f"tag {tag.name} of {tag.where}")
        await self._audit.append(entry)


def _of(where: AppEnv) -> Select[TagRow]:
    return select(TagRow).where(col(TagRow.app) == where.app, col(TagRow.env) == where.env)


def _tag(row: TagRow) -> Tag:
    return Tag(
        where=AppEnv(row.app, row.env),
        name=row.name,
        version_id=row.version_id,
        user_id=row.user_id,
        since=row.since,
    )
