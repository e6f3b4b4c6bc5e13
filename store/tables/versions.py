"""Versions, and what their documents are made of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary
from sqlmodel import Field, SQLModel

from store.tables.columns import big, key, maybe_text, partial_index, row_id, text, time
from store.types import SafeText


class PartRow(SQLModel, table=True):
    """A piece of a document, once, under its hash. `base_id` is for parts stored as deltas."""

    __tablename__ = "part"
    id: int | None = row_id()
    hash: str = text(unique=True)
    encoding: str = text()
    base_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("part.id"), nullable=True)
    )
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ManifestRow(SQLModel, table=True):
    """Which parts make up the document of one root, packed as `store.manifests` says.

    `base` is the root of the whole manifest that this one differs from; null for a whole one.
    """

    __tablename__ = "manifest"
    root: str = key()
    meaning: str = text()
    mode: str = text()
    base: str | None = maybe_text()
    packed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class VersionRow(SQLModel, table=True):
    """One stored document of one app@env."""

    __tablename__ = "version"
    __table_args__ = (
        Index("version_number", "app", "env", "number", unique=True),
        partial_index(
            "version_external", "app", "env", "external_id", unique=True, where="number IS NOT NULL"
        ),
        partial_index("version_draft", "app", "env", "root", unique=True, where="number IS NULL"),
    )
    id: int | None = row_id()
    app: str = text()
    env: str = text()
    kind: str = text()
    source: str = text()
    number: int | None = big(nullable=True)
    root: str = Field(sa_column=Column(SafeText, ForeignKey("manifest.root"), nullable=False))
    meaning: str = text()
    external_id: str = text()
    external_hash: str = text()
    external_name: str = text()
    external_comment: str = text()
    author: str = text()
    published_at: datetime = time()
    recorded_at: datetime = time()


class CondemnedRow(SQLModel, table=True):
    """A meaning that must not be suggested again in this app@env."""

    __tablename__ = "condemned"
    app: str = key()
    env: str = key()
    meaning: str = key()
    rollback_id: int | None = big(nullable=True)
    since: datetime = time()


class TagRow(SQLModel, table=True):
    """A name that people gave a version; it stands on one version of its app@env at a time."""

    __tablename__ = "tag"
    __table_args__ = (Index("tag_version", "version_id"),)
    app: str = key()
    env: str = key()
    name: str = key()
    version_id: int = big(ForeignKey("version.id"), nullable=False)
    user_id: str = text()
    since: datetime = time()
