"""Tags are moved and taken away, and each move is recorded with where the tag stood before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.errors import UnknownTag
from bot.ports.store import Store, Transaction
from store.records import AppEnv, AuditDraft, Json, Tag, Version

OPERATOR = "operator"  # who moved it, in the audit chain, when it was done by command line
Entry = Callable[[Mapping[str, Json]], AuditDraft]  # of the facts of one move


@dataclass(frozen=True)
class Standing:
    """A tag and the number of the version that it stands on."""

    tag: Tag
    number: int


@dataclass(frozen=True)
class Moved:
    """The tag *name* stands on version *number*; before it stood on *was*, 0 for nowhere."""

    name: str
    number: int
    was: int

    @property
    def anew(self) -> bool:
        """Whether that changed anything."""
        return self.number != self.was


async def standing(store: Store, where: AppEnv) -> list[Standing]:
    """Return the tags of *where* by name; none is an empty list."""
    async with store.read() as tx:
        return [Standing(tag, await _number(tx, tag)) for tag in await tx.tags.of(where)]


async def move(tx: Transaction, version: Version, name: str, entry: Entry) -> Moved:
    """Let the tag *name* stand on *version*; where it stands already nothing is recorded."""
    held = await tx.tags.hold(version.where, name)
    moved = Moved(name, version.number or 0, await _number(tx, held) if held else 0)
    if moved.anew:
        facts = {"tag": name, "number": moved.number, "was": moved.was}
        await tx.tags.put(version, name, entry=entry(facts))
    return moved


async def take_away(tx: Transaction, where: AppEnv, name: str, entry: Entry) -> int:
    """Take the tag *name* away; return the number of the version on which it stood.

    Raises:
        UnknownTag: There is none of that name; the nearest comes with it.
    """
    held = await tx.tags.hold(where, name)
    if held is None:
        near = get_close_matches(name, [tag.name for tag in await tx.tags.of(where)], n=1)
        raise UnknownTag(str(where), name, near[0] if near else "")
    number = await _number(tx, held)
    await tx.tags.remove(held, entry=entry({"tag": name, "was": number}))
    return number


async def _number(tx: Transaction, tag: Tag) -> int:
    return (await tx.versions.get(tag.version_id)).number or 0
