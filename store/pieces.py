"""The parts of documents as rows: each once under its hash, packed, often as a difference."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import zstandard
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.document import Part, hash_of_part
from store.records import Corrupt
from store.remembered import Remembered
from store.tables import PartRow
from store.upsert import insert_new

_T = TypeVar("_T")
ZSTD, DELTA = "zstd", "zstd-delta"
_LEVEL = 3
_MOST_NAMES = 10_000  # bound parameters in one statement; SQLite and asyncpg take 32,766
_FEW = 8  # parts that nobody here has seen are most likely new, if they are so few
_WHOLE = zstandard.ZstdDecompressor()
_PART = PartRow.metadata.tables["part"]  # rows of a table are half as dear as those of a class
_BASE = _PART.alias("base")
_STORED = (
    select(
        *(_PART.c.id, _PART.c.hash, _PART.c.data, _PART.c.base_id),
        *(_BASE.c.base_id, _BASE.c.hash, _BASE.c.data),
    )
    .select_from(_PART.outerjoin(_BASE, _BASE.c.id == _PART.c.base_id))
    .where(_PART.c.id.in_(bindparam("ids", expanding=True)))
)


class Pieces:
    """Keeps and reads parts."""

    def __init__(self, session: AsyncSession, remembered: Remembered) -> None:
        self._session = session
        self._remembered = remembered
        self._written: dict[str, int] = {}

    def committed(self) -> None:
        """Remember which parts there are, now that the transaction was committed."""
        self._remembered.add_parts(self._written)

    async def keep(self, parts: Sequence[Part], like: Mapping[str, int]) -> dict[str, int]:
        """Store those *parts* that are not there yet; return the rows of all, by hash.

        *like* are the rows of parts that may resemble them, by path.
        """
        ids = self._remembered.parts(part.hash for part in parts)
        unknown = {part.hash: part for part in parts if part.hash not in ids}
        if len(unknown) > _FEW:
            ids |= await self._ids(list(unknown))
        new = {name: part for name, part in unknown.items() if name not in ids}
        if new:
            resembled = await self._resembled(new.values(), like)
            rows = [_row(new[name], resembled.get(name)) for name in sorted(new)]  # one lock order
            ids |= await self._insert(rows)
            if there := [name for name in new if name not in ids]:
                ids |= await self._ids(there)
        self._written |= ids
        return ids

    async def read(self, places: Mapping[int, str], *, of: str) -> dict[int, tuple[str, bytes]]:
        """Return hash and data of parts, by row; the data has the hash.

        Raises:
            Corrupt: One is damaged or missing; it is named by its place, and *of* what it is one.
        """
        stored = await self._stored(places)
        found = {}
        for part, place in places.items():
            try:
                found[part] = stored[part].hash, stored[part].unpacked()
            except KeyError as error:
                raise Corrupt(f"part {part} of {of} is not there ({place})") from error
            except _Damaged as error:
                said = f"what is stored under {of} is damaged at {place}: part {part} {error}"
                raise Corrupt(said) from error
        return found

    # -- how ------------------------------------------------------------------------------------

    async def _resembled(
        self, parts: Iterable[Part], like: Mapping[str, int]
    ) -> dict[str, tuple[int, bytes]]:
        """For parts that stood at their path before, by hash: a whole part that resembles them."""
        at = {part.hash: like[part.path] for part in parts if part.path in like}
        stored = await self._stored(at.values())
        try:
            return {name: stored[row].whole(row) for name, row in at.items() if row in stored}
        except _Damaged:
            return {}  # what is new shall not depend on it

    async def _insert(self, rows: Sequence[dict[str, object]]) -> dict[str, int]:
        """The ids of those that nobody else inserted, by hash."""
        new = insert_new(self._session, _PART, returning=("hash", "id"))
        return {row.hash: row.id for row in await self._session.execute(new, rows)}

    async def _ids(self, hashes: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in _batches(hashes):
            columns = _PART.c.hash, _PART.c.id
            rows = await self._session.execute(select(*columns).where(_PART.c.hash.in_(some)))
            found |= {row.hash: row.id for row in rows}
        return found

    async def _stored(self, ids: Collection[int]) -> dict[int, _Stored]:
        found: dict[int, _Stored] = {}
        for some in _batches(sorted(set(ids))):
            rows = await self._session.execute(_STORED, {"ids": some})
            found |= {row: _Stored(*of_row) for row, *of_row in rows}
        return found


class _Damaged(Exception):
    """A part cannot be unpacked, or is another one than its hash says."""


class _Stored(NamedTuple):
    """A part as it is stored: whole, or as what differs from another one, its base."""

    hash: str
    data: bytes
    base_id: int | None
    further: int | None  # the base's base: there is none
    base_hash: str | None
    base_data: bytes | None

    def unpacked(self) -> bytes:
        if self.base_id is None:
            return _unpacked(self.data, self.hash, _WHOLE)
        prefix = _prefix(self._base())
        return _unpacked(self.data, self.hash, zstandard.ZstdDecompressor(dict_data=prefix))

    def whole(self, row: int) -> tuple[int, bytes]:
        """Row and data of the whole part that it is, in *row*, or stands on."""
        if self.base_id is None:
            return row, _unpacked(self.data, self.hash, _WHOLE)
        return self.base_id, self._base()

    def _base(self) -> bytes:
        if self.base_data is None or self.base_hash is None or self.further is not None:
            raise _Damaged("has lost its base")
        return _unpacked(self.base_data, self.base_hash, _WHOLE)


def _row(part: Part, like: tuple[int, bytes] | None) -> dict[str, object]:
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


def _unpacked(packed: bytes, digest: str, unpacker: zstandard.ZstdDecompressor) -> bytes:
    try:
        data = unpacker.decompress(packed)
    except (zstandard.ZstdError, MemoryError) as error:  # a size that only damage claims
        raise _Damaged("cannot be unpacked") from error
    if hash_of_part(data) != digest:
        raise _Damaged(f"does not have the hash {digest}")
    return data


def _prefix(data: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _batches(items: Sequence[_T], most: int = _MOST_NAMES) -> list[Sequence[_T]]:
    return [items[at : at + most] for at in range(0, len(items), most)]
