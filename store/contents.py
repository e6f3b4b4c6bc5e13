"""Documents by content: a part once under its hash, a manifest once per root."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import NamedTuple, TypeVar

import zstandard
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col

from store.differing import Differing, Manifest, Whole, content_of, ends_of, overlap
from store.document import Document, Part, Unreadable, hash_of_part, join_stored, split
from store.manifests import pack, pack_difference, unpack, unpack_difference
from store.parts import load
from store.records import Corrupt
from store.remembered import Remembered
from store.tables import ManifestRow, PartRow
from store.upsert import insert

_T = TypeVar("_T")
ZSTD, DELTA = "zstd", "zstd-delta"
_LEVEL = 3
_MOST_NAMES = 10_000  # bound parameters in one statement; SQLite and asyncpg take 32,766


_WHOLE = zstandard.ZstdDecompressor()
# Rows of tables are half as dear as those of classes.
_MANIFEST, _PART = (SQLModel.metadata.tables[name] for name in ("manifest", "part"))


class Contents:
    """Keeps documents; what two of them share is stored once."""

    def __init__(self, session: AsyncSession, remembered: Remembered) -> None:
        self._session = session
        self._remembered = remembered
        self._written: dict[str, int] = {}

    def committed(self) -> None:
        """Remember which parts there are, now that the transaction was committed."""
        self._remembered.add_parts(self._written)

    async def keep(self, document: Document, *, like: str | None) -> None:
        """Store *document* under its root, unless it is there; *like* is a root it resembles."""
        if await self._session.get(ManifestRow, document.root) is not None:
            return
        parts = split(document)
        base = await self._base(like) if like else None
        ids = self._remembered.parts(part.hash for part in parts)
        ids |= await self._part_ids([part.hash for part in parts if part.hash not in ids])
        missing = {part.hash: part for part in parts if part.hash not in ids}
        if missing:
            like_parts = await self._predecessors(missing.values(), base[1] if base else {})
            rows = [_part_row(missing[name], like_parts.get(name)) for name in sorted(missing)]
            ids |= await self._insert_parts(rows)  # sorted: one lock order
            if raced := [name for name in missing if name not in ids]:
                ids |= await self._part_ids(raced)
        self._written |= ids
        manifest = {part.path: ids[part.hash] for part in parts}
        packed = pack_difference(base[1], manifest) if base else None
        row = {
            "root": document.root,
            "meaning": document.meaning,
            "mode": document.mode,
            "base": base[0] if base and packed is not None else None,
            "packed": pack(manifest) if packed is None else packed,
        }
        await self._session.execute(
            insert(self._session, ManifestRow).values(row).on_conflict_do_nothing()
        )

    async def document(self, root: str) -> Document:
        """The document with this *root*, checked against it. Raises `Corrupt`."""
        mode, manifest = await self._manifest(root)
        try:
            blobs = await self._pieces({part: path for path, part in manifest.items()}, root)
            parts = (Part(path, *blobs[part]) for path, part in manifest.items())
            return join_stored(mode, parts, root)
        except Unreadable as error:
            raise Corrupt(f"what is stored under {root} is damaged: {error}") from error

    async def differing(self, old: str, new: str, known: Set[int]) -> Differing:
        """What differs between the documents of two roots; *known* are rows of parts.

        Each part that is read has its hash; that all of them make up the roots is not looked at.

        Raises:
            Corrupt: Something that has to be read is damaged.
        """
        roots = f"{old} or {new}"
        try:
            before, after = await self._manifests(old, new)
            found = overlap(before, after, known)
            places = {part: path for path, part in (*found.new.items(), *found.old.items())}
            data = await self._data({**places, **found.shared}, roots)
            left, right = content_of(found.old, data), content_of(found.new, data)
            ends = ends_of(found, before, (left, right))
            more = {part: end for end, part in ends.items() if part not in data}
            data |= await self._data(more, roots)
            return Differing(
                (before.mode, left),
                (after.mode, right),
                {part: load(path, data[part]) for part, path in found.shared.items()},
                {end: load(end, data[part]) for end, part in ends.items()},
            )
        except Unreadable as error:
            raise Corrupt(f"what is stored under {roots} is damaged: {error}") from error

    # -- how ------------------------------------------------------------------------------------

    async def _data(self, places: Mapping[int, str], root: str) -> dict[int, bytes]:
        return {part: data for part, (_, data) in (await self._pieces(places, root)).items()}

    async def _pieces(self, places: Mapping[int, str], root: str) -> dict[int, tuple[str, bytes]]:
        """Hash and data of these parts; what is damaged is named by its place."""
        try:
            return await self._blobs(places)
        except _Damaged as error:
            place = places.get(error.part, "something that its parts stand on")
            raise Corrupt(f"what is stored under {root} is damaged at {place}: {error}") from error

    async def _manifests(self, *roots: str) -> list[Manifest]:
        """Modes and manifests of the documents of *roots*; whole ones are read once."""
        columns = _MANIFEST.c.root, _MANIFEST.c.mode, _MANIFEST.c.base, _MANIFEST.c.packed
        rows = await self._session.execute(select(*columns).where(_MANIFEST.c.root.in_(roots)))
        found = {root: row for root, *row in rows}
        manifests = []
        for root in roots:
            if root not in found:
                raise Corrupt(f"there is no manifest of {root}")
            mode, base, packed = found[root]
            whole = await self._whole(base or root)
            more = unpack_difference(packed) if base else ()
            manifests.append(Manifest(mode, whole, *more))
        return manifests

    async def _whole(self, root: str) -> Whole:
        known = self._remembered.manifest(root)
        if known is None:
            row = await self._session.get(ManifestRow, root)
            if row is None or row.base is not None:
                raise Corrupt(f"a manifest has lost its base {root}")
            known = Whole(unpack(row.packed))
            self._remembered.add_manifest(root, known)
        return known

    async def _base(self, like: str) -> tuple[str, Mapping[str, int]] | None:
        """The whole manifest that the one of *like* stands on, or is; None if it is damaged."""
        row = await self._session.get(ManifestRow, like)
        if row is not None and row.base is not None:
            row = await self._session.get(ManifestRow, row.base)
        if row is None or row.base is not None:
            return None
        try:
            return row.root, unpack(row.packed)
        except Corrupt:
            return None  # a new document shall not depend on it

    async def _manifest(self, root: str) -> tuple[str, dict[str, int]]:
        """Mode and manifest of the document with this *root*."""
        base = aliased(ManifestRow)
        mine = col(ManifestRow.mode), col(ManifestRow.packed), col(ManifestRow.base)
        found = await self._session.execute(
            select(*mine, col(base.base), col(base.packed))
            .outerjoin(base, col(base.root) == col(ManifestRow.base))
            .where(col(ManifestRow.root) == root)
        )
        row = found.first()
        if row is None:
            raise Corrupt(f"there is no manifest of {root}")
        mode, packed, stands_on, further, of_base = row
        if stands_on is None:
            return mode, unpack(packed)
        if of_base is None or further is not None:
            raise Corrupt(f"the manifest of {root} has lost its base")
        return mode, unpack(packed, unpack(of_base))

    async def _insert_parts(self, rows: Sequence[Mapping[str, object]]) -> dict[str, int]:
        """The ids of those that nobody else inserted in this moment, by hash."""
        inserted: dict[str, int] = {}
        for some in _batches(rows, _MOST_NAMES // len(rows[0])):
            done = await self._session.execute(
                insert(self._session, PartRow)
                .values(some)
                .on_conflict_do_nothing()
                .returning(col(PartRow.hash), col(PartRow.id))
            )
            inserted |= {digest: part_id for digest, part_id in done if part_id is not None}
        return inserted

    async def _part_ids(self, hashes: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in _batches(hashes):
            rows = await self._session.execute(
                select(col(PartRow.hash), col(PartRow.id)).where(col(PartRow.hash).in_(some))
            )
            found |= {digest: part_id for digest, part_id in rows if part_id is not None}
        return found

    async def _predecessors(
        self, parts: Iterable[Part], manifest: Mapping[str, int]
    ) -> dict[str, tuple[int, bytes]]:
        """For parts that stood at their path before, by hash: a whole part that resembles them."""
        at = {part.hash: manifest[part.path] for part in parts if part.path in manifest}
        rows = await self._rows(list(at.values()))
        whole = {part: row.base_id or part for part, row in rows.items()}
        try:
            blobs = await self._blobs(list(whole.values()))
        except Corrupt:
            return {}  # what is new shall not depend on it
        return {name: (whole[part], blobs[whole[part]][1]) for name, part in at.items()}

    async def _blobs(self, ids: Collection[int]) -> dict[int, tuple[str, bytes]]:
        """Hash and data of these parts, by id; the data has the hash."""
        rows = await self._rows(ids)
        known = {part: _unpacked(part, row) for part, row in rows.items() if row.base_id is None}
        bases = {row.base_id for row in rows.values() if row.base_id is not None} - known.keys()
        for part, row in (await self._rows(list(bases))).items():
            known[part] = _unpacked(part, row)
        found = {}
        for part, row in rows.items():
            if row.base_id is not None:
                known[part] = _unpacked(part, row, known.get(row.base_id))
            found[part] = row.hash, known[part]
        if missing := set(ids) - set(found):
            raise Corrupt(f"{len(missing)} parts are not there")
        return found

    async def _rows(self, ids: Collection[int]) -> dict[int, _Packed]:
        found: dict[int, _Packed] = {}
        columns = _PART.c.id, _PART.c.hash, _PART.c.base_id, _PART.c.data
        for some in _batches(sorted(set(ids))):
            rows = await self._session.execute(select(*columns).where(_PART.c.id.in_(some)))
            found |= {part: _Packed(digest, base_id, data) for part, digest, base_id, data in rows}
        return found


class _Damaged(Corrupt):
    """One part cannot be read; `part` is its row."""

    def __init__(self, part: int, why: str) -> None:
        super().__init__(f"part {part} {why}")
        self.part = part


class _Packed(NamedTuple):
    """A part as it is stored: whole, or as what differs from the part *base_id*."""

    hash: str
    base_id: int | None
    data: bytes


def _part_row(part: Part, like: tuple[int, bytes] | None) -> dict[str, object]:
    """The part's row; as a difference where that takes less than half of the room.

    A whole part that resembles it is given to zstd as its dictionary
    (https://facebook.github.io/zstd/zstd_manual.html, "prefix").
    """
    whole = zstandard.ZstdCompressor(level=_LEVEL).compress(part.data)
    if like is not None:
        packed = zstandard.ZstdCompressor(level=_LEVEL, dict_data=_prefix(like[1]))
        short = packed.compress(part.data)
        if 2 * len(short) < len(whole):
            return {"hash": part.hash, "encoding": DELTA, "data": short, "base_id": like[0]}
    return {"hash": part.hash, "encoding": ZSTD, "data": whole, "base_id": None}


def _unpacked(part: int, row: _Packed, base: bytes | None = None) -> bytes:
    if (base is None) is not (row.base_id is None):
        raise _Damaged(part, "has lost its base")
    unpacker = _WHOLE if base is None else zstandard.ZstdDecompressor(dict_data=_prefix(base))
    try:
        data = unpacker.decompress(row.data)
    except (zstandard.ZstdError, MemoryError) as error:  # a size that only damage claims
        raise _Damaged(part, "cannot be unpacked") from error
    if hash_of_part(data) != row.hash:
        raise _Damaged(part, f"does not have the hash {row.hash}")
    return data


def _prefix(data: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _batches(items: Sequence[_T], most: int = _MOST_NAMES) -> list[Sequence[_T]]:
    return [items[at : at + most] for at in range(0, len(items), most)]
