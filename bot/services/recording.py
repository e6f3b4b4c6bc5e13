"""Record what a target has published: each version once, and in the order of its history."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import marker
from bot.ports.store import Store, Transaction
from bot.ports.target import Target, TargetDraft, TargetVersion
from bot.services import late
from bot.services.outgoing import published_row
from store.records import (
    AppEnv,
    Missing,
    NewVersion,
    Rollback,
    Step,
    Version,
    VersionKind,
    VersionSource,
)

_WRITTEN = (Step.PUBLISHING, Step.VERIFYING, Step.UNDOING)  # steps at which ours may be live


async def record(
    store: Store, where: AppEnv, version: TargetVersion, *, number: int | None = None
) -> Version:
    """Store *version*; without a *number* it gets the next free one.

    A configuration that is the newest one already is returned as it was stored. Its target names
    none, so one that we are writing is known by its content, and gets the name of the rollback.
    """
    async with store.write() as tx:
        external_id = version.external_id
        if version.kind is VersionKind.MODEL_CONFIG:
            newest = await tx.versions.newest(where)
            if newest is not None and newest.root == version.document.root:
                return newest
            if newest is not None and await tx.versions.by_external(where, external_id):
                external_id = f"{external_id}+{newest.number}"  # of the same second
            version = await _named(tx, where, version)
        ours = await _ours(tx, version)
        back = VersionSource.PUT_BACK if marker.puts_back(version.name) else VersionSource.ROLLBACK
        new = NewVersion(
            where=where,
            kind=version.kind,
            source=back if ours else VersionSource.PUBLISHED,
            external_id=external_id,
            external_hash=version.external_hash,
            external_name=version.name,
            external_comment=version.comment,
            author=version.author,
            published_at=version.published_at,
            number=number,
        )
        if ours is None:
            return await _published(tx, new, version)
        if number is not None or ours.leg_of(where) is None:
            return await tx.versions.record(new, version.document)
        known = await tx.versions.by_external(where, external_id)
        recorded = await tx.versions.record(new, version.document)
        if known is None:
            await late.notice(tx, ours, recorded)
        return recorded


async def _published(tx: Transaction, new: NewVersion, version: TargetVersion) -> Version:
    """Store what somebody else published; what is newer than all that we have is looked at.

    At first contact, and of older history, nobody wants to be told what it changed.
    """
    before = await tx.versions.newest(new.where) if new.number is None else None
    recorded = await tx.versions.record(new, version.document)
    if before is not None and (recorded.number or 0) > (before.number or 0):
        await tx.outbox.put(published_row(recorded, before))
    return recorded


def new_draft(where: AppEnv, draft: TargetDraft, *, name: str) -> NewVersion:
    """What is known of an editors' *draft*; *name* is `DRAFT_KEPT` or `DRAFT_SEEN`."""
    return NewVersion(
        where=where,
        kind=VersionKind.DRAFT,
        source=VersionSource.IMPORTED,
        external_id=name,
        external_hash=draft.token,
        published_at=draft.updated_at,
        author=draft.author,
    )


async def catch_up(store: Store, where: AppEnv, target: Target, app_id: str) -> list[Version]:
    """Record everything newer than the newest version that we know; return it, oldest first.

    Raises:
        UpstreamDown, UpstreamRefused.
    """
    fresh: list[TargetVersion] = []
    async for version in target.history(app_id):
        if await _has(store, where, version):
            break
        fresh.append(version)
    return [await record(store, where, version) for version in reversed(fresh)]


async def _has(store: Store, where: AppEnv, version: TargetVersion) -> bool:
    """Whether *version* is stored; of configurations only the newest one counts."""
    async with store.read() as tx:
        if version.kind is VersionKind.MODEL_CONFIG:
            newest = await tx.versions.newest(where)
            return newest is not None and newest.root == version.document.root
        return await tx.versions.by_external(where, version.external_id) is not None


async def _named(tx: Transaction, where: AppEnv, version: TargetVersion) -> TargetVersion:
    ours = await tx.rollbacks.open_of(where)
    if ours is None or ours.execution.step not in _WRITTEN:
        return version
    leg = ours.current
    if leg.where != where or leg.expected_root != version.document.root:
        return version
    return replace(version, name=marker.name_of(ours))


async def _ours(tx: Transaction, version: TargetVersion) -> Rollback | None:
    """The rollback whose name it carries, if we really have it; else somebody published it."""
    claimed = marker.rollback_id_in(version.name)
    if claimed is None:
        return None
    try:
        rollback = await tx.rollbacks.get(claimed)
    except Missing:
        return None
    return rollback if marker.is_of(version.name, rollback) else None
