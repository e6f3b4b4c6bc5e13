"""What the page of a difference shows, read from the store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from bot.domain.diff.changes import compare
from bot.domain.diff.page import DiffPage, Side, build
from bot.errors import LinkInvalid
from bot.ports.store import Store
from bot.services.contents import Contents
from store.document import Document
from store.records import Leg, Missing, Version, VersionSource

_ROW = "[1-9][0-9]{0,17}"
_ID = re.compile(rf"r(?P<rollback>{_ROW})(?:-(?P<leg>[2-9]))?|v(?P<old>{_ROW})-(?P<new>{_ROW})")
_SOURCES = {
    VersionSource.PUBLISHED: "published in Dify",
    VersionSource.ROLLBACK: "published by a rollback",
    VersionSource.PUT_BACK: "put back by a rollback",
    VersionSource.DRIFT: "changed without a publish",
    VersionSource.IMPORTED: "imported",
}


def name_of_rollback(rollback_id: int, position: int = 0) -> str:
    """The name of the page that shows what a leg of a rollback changes."""
    return f"r{rollback_id}-{position + 1}" if position else f"r{rollback_id}"


def name_of_versions(old: int, new: int) -> str:
    """The name of the page from one stored version to another, by their rows."""
    return f"v{old}-{new}"


async def page(store: Store, name: str) -> DiffPage:
    """Return the page that *name* names.

    Of a rollback it shows exactly what votes bind to: from what was live when it was opened to
    what it leaves live.

    Raises:
        LinkInvalid: There is no such page.
        Corrupt: A document cannot be read.
    """
    found = _ID.fullmatch(name)
    if found is None:
        raise LinkInvalid(f"no page is named {name[:40]!r}")
    try:
        if found["rollback"]:
            return await _of_rollback(store, int(found["rollback"]), int(found["leg"] or 1) - 1)
        return await _of_versions(store, int(found["old"]), int(found["new"]))
    except Missing as error:
        raise LinkInvalid(str(error)) from error


async def _of_rollback(store: Store, rollback_id: int, position: int) -> DiffPage:
    async with store.read() as tx:
        rollback = await tx.rollbacks.get(rollback_id)
        if position >= len(rollback.legs):
            raise LinkInvalid(f"rollback {rollback_id} has no leg {position + 1}")
        leg = rollback.legs[position]
        live = await tx.versions.get(leg.from_version_id)
    contents = await Contents.of(store, leg)
    title = f"What rollback {rollback.id} changes in {leg.where}"
    sides = (_side(live), contents.live), (_side(contents.to), contents.wanted)
    return await asyncio.to_thread(_built, title, *sides, notes=_secrets(leg))


async def _of_versions(store: Store, old: int, new: int) -> DiffPage:
    async with store.read() as tx:
        before, after = await tx.versions.get(old), await tx.versions.get(new)
        if before.where != after.where:
            raise LinkInvalid("the two versions are of different apps")
        documents = [await tx.versions.document(version.id) for version in (before, after)]
    sides = [(_side(v), d) for v, d in zip((before, after), documents, strict=True)]
    title = f"{before.where}: {_number(before)} and {_number(after)}"
    return await asyncio.to_thread(_built, title, *sides, notes=())


def _built(
    title: str, before: tuple[Side, Document], after: tuple[Side, Document], *, notes: Sequence[str]
) -> DiffPage:
    changes = compare(before[1], after[1], layout=True)
    return build(title, before, after, changes, notes=tuple(notes))


def _side(version: Version) -> Side:
    facts = [
        ("Published", f"{version.published_at:%Y-%m-%d %H:%M} UTC, {_SOURCES[version.source]}"),
        ("By", version.author),
        ("Called", version.external_name),
        ("Comment", version.external_comment),
    ]
    return Side(_number(version), tuple((name, text) for name, text in facts if text))


def _number(version: Version) -> str:
    return f"version {version.number}" if version.number else f"draft {version.id}"


def _secrets(leg: Leg) -> list[str]:
    """Which values the secrets will have, as the card says it."""
    kept, own = leg.secrets.get("kept") or (), leg.secrets.get("from_version") or ()
    whose = "the editors' draft has" if leg.secrets.get("of_draft") is True else "live has now"
    notes = [f"Secrets that keep the value that {whose}: {', '.join(kept)}."] if kept else []
    if own:
        notes.append(f"Secrets that take the version's own value: {', '.join(own)}.")
    return notes
