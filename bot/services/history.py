"""The stored history of one app@env, as it is told: what came with each version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise

from bot.domain import marker
from bot.errors import NothingStored, NotStored, UnknownApp, UnknownVersion
from bot.ports.store import Store, Transaction
from bot.services.comparing import between
from store.document import Document
from store.records import EVERYTHING, AppEnv, Missing, Search, Version, VersionSource

LIVE = frozenset({"live", "newest", "latest"})


@dataclass(frozen=True)
class Told:
    """One version of a history.

    `live` is as of the last snapshot. `counts` are the changes against the version before by
    kind, empty when the two mean the same; None for the oldest version that is stored.
    `rollback_id` is of the rollback of ours that published it, `back_to` the version that it
    brought back; `drill` says that it was one.
    """

    version: Version
    live: bool
    counts: Mapping[str, int] | None
    condemned: bool = False
    rollback_id: int | None = None
    back_to: int | None = None
    drill: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToldDraft:
    """A stored draft, and how many changes of each kind it has over what is live."""

    version: Version
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Facts:
    versions: Sequence[Version]  # newest first
    older: Mapping[int, Version] = field(default_factory=dict)  # the one before each, by row
    condemned: frozenset[str] = frozenset()
    rollbacks: Mapping[int, tuple[int, int | None, bool]] = field(default_factory=dict)
    newest: int = 0
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


async def history(
    store: Store,
    where: AppEnv,
    *,
    limit: int,
    before: int | None = None,
    search: Search = EVERYTHING,
) -> list[Told]:
    """Return at most *limit* numbered versions below number *before*, newest first.

    With a *search* only what it asks for is told, each still against the version before it.

    Raises:
        UnknownApp: No version of *where* is stored; the nearest name that is comes with it.
        Corrupt: A document cannot be read.
    """
    async with store.read() as tx:
        facts = await _facts(tx, where, limit, before, search)
    told = []
    for version in facts.versions:
        older = facts.older.get(version.id)
        rollback_id, back_to, drill = facts.rollbacks.get(version.id, (None, None, False))
        told.append(
            Told(
                version,
                live=version.number == facts.newest,
                counts=await _counts(store, older, version) if older else None,
                condemned=version.meaning in facts.condemned,
                rollback_id=rollback_id,
                back_to=back_to,
                drill=drill,
                tags=facts.tags.get(version.id, ()),
            )
        )
    return told


async def drafts_of(store: Store, where: AppEnv, *, limit: int) -> list[ToldDraft]:
    """Return at most *limit* stored drafts, the one last seen first.

    Raises:
        UnknownApp: No version of *where* is stored; the nearest name that is comes with it.
        Corrupt: A document cannot be read.
    """
    async with store.read() as tx:
        live = await _newest(tx, where)
        drafts = await tx.versions.drafts(where, limit=limit)
    return [ToldDraft(draft, await _counts(store, live, draft)) for draft in drafts]


async def span(store: Store, where: AppEnv) -> tuple[int, int]:
    """Return the oldest and the newest number that are stored. Raises `NothingStored`."""
    async with store.read() as tx:
        newest = await tx.versions.newest(where)
        oldest = await tx.versions.import_mark(where)
    if newest is None or newest.number is None:
        raise NothingStored(str(where))
    return oldest or 1, newest.number


async def find(store: Store, where: AppEnv, asked: str) -> Version:
    """Return the version that *asked* names: a number, also as `v7`, `live`, or a tag.

    Raises:
        UnknownApp, UnknownVersion.
    """
    async with store.read() as tx:
        newest = await _newest(tx, where)
        if asked.lower() in LIVE:
            return newest
        digits = asked.lower().removeprefix("v")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
        found = await tx.versions.numbered(where, number) if number else None
        tag = None if found else await tx.tags.named(where, asked.lower())
        if tag is not None:
            found = await tx.versions.get(tag.version_id)
        oldest = await tx.versions.import_mark(where)
    if found is None:
        raise UnknownVersion(str(where), asked, newest.number, oldest)
    return found


async def kept(store: Store, where: AppEnv, row: int) -> Version:
    """Return what is stored under the number *row*: a draft, or a version, of *where*.

    Raises:
        NotStored: Nothing is, or it belongs to another app@env.
        UnknownApp: Nothing is, and no version of *where* either.
    """
    async with store.read() as tx:
        try:
            found = await tx.versions.get(row)
        except Missing:
            await _newest(tx, where)
            raise NotStored(str(where), row) from None
    if found.where != where:
        raise NotStored(str(where), row, str(found.where))
    return found


async def documents(store: Store, *versions: Version) -> list[Document]:
    """Return the documents of *versions*. Raises `Corrupt`."""
    async with store.read() as tx:
        return [await tx.versions.document(version.id) for version in versions]


async def known(store: Store, where: AppEnv) -> None:
    """Raises `UnknownApp` when nothing of *where* is stored."""
    async with store.read() as tx:
        await _newest(tx, where)


async def _newest(tx: Transaction, where: AppEnv) -> Version:
    newest = await tx.versions.newest(where)
    if newest is None:
        known = [str(place) for place in await tx.versions.newest_target_ids()]
        near = get_close_matches(str(where), known, n=1)
        raise UnknownApp(str(where), near[0] if near else "")
    return newest


async def _facts(
    tx: Transaction, where: AppEnv, limit: int, before: int | None, search: Search
) -> _Facts:
    newest = await _newest(tx, where)
    found = await tx.versions.history(where, limit=limit + 1, before=before, search=search)
    versions = found[:limit]
    rollbacks = {}
    for version in versions:
        if version.source in {VersionSource.ROLLBACK, VersionSource.PUT_BACK}:
            rollbacks[version.id] = await _rollback(tx, version)
    return _Facts(
        versions,
        await _older(tx, where, found, search),
        await tx.versions.condemned(where),
        rollbacks,
        newest.number or 0,
        await _tags(tx, where),
    )


async def _older(
    tx: Transaction, where: AppEnv, found: Sequence[Version], search: Search
) -> Mapping[int, Version]:
    """The version before each of *found*: the next of them, unless they were searched for."""
    if search.everything:
        return {newer.id: older for newer, older in pairwise(found)}
    before = {}
    for version in found:
        before[version.id] = await tx.versions.history(where, limit=1, before=version.number)
    return {row: older[0] for row, older in before.items() if older}


async def _tags(tx: Transaction, where: AppEnv) -> Mapping[int, tuple[str, ...]]:
    """The names of every version that has any, by its row."""
    found: dict[int, tuple[str, ...]] = {}
    for tag in await tx.tags.of(where):
        found[tag.version_id] = (*found.get(tag.version_id, ()), tag.name)
    return found


async def _rollback(tx: Transaction, version: Version) -> tuple[int, int | None, bool]:
    """The rollback that published *version*, the number that it brought back, if it was a drill."""
    rollback_id = marker.rollback_id_in(version.external_name) or 0
    try:
        rollback = await tx.rollbacks.get(rollback_id)
        leg = rollback.leg_of(version.where)
        if leg is None:
            return rollback_id, None, False
        back_to = leg.to_version_id
        if marker.puts_back(version.external_name):
            back_to = leg.from_version_id
        return rollback_id, (await tx.versions.get(back_to)).number, rollback.drill
    except Missing:
        return rollback_id, None, False


async def _counts(store: Store, older: Version, newer: Version) -> Mapping[str, int]:
    if older.meaning == newer.meaning:
        return {}
    return (await between(store, older, newer)).counts()
