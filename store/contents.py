"""Documents by content: a part once under its hash, a manifest once per root."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from store.differing import Differing, Manifest, Whole, content_of, ends_of, overlap
from store.document import Document, Part, Unreadable, join_stored, split
from store.manifests import difference, pack, pack_difference, unpack, unpack_difference
from store.parts import load
from store.pieces import Pieces
from store.records import Corrupt
from store.remembered import Remembered
from store.tables import ManifestRow
from store.upsert import insert_new

_MANIFEST = ManifestRow.metadata.tables["manifest"]
_BASE = _MANIFEST.alias("base")
_ROW = (
    select(
        *(_MANIFEST.c.mode, _MANIFEST.c.base, _MANIFEST.c.packed),
        *(_BASE.c.base, _BASE.c.packed),
    )
    .select_from(_MANIFEST.outerjoin(_BASE, _BASE.c.root == _MANIFEST.c.base))
    .where(_MANIFEST.c.root == bindparam("wanted"))
)


class Contents:
    """Keeps documents; what two of them share is stored once."""

    def __init__(self, session: AsyncSession, remembered: Remembered) -> None:
        self._session = session
        self._remembered = remembered
        self._pieces = Pieces(session, remembered)
        self._written: dict[str, Manifest] = {}

    def committed(self) -> None:
        """Remember what there is, now that the transaction was committed."""
        self._pieces.committed()
        for root, manifest in self._written.items():
            self._remembered.add_manifest(root, manifest)

    async def keep(self, document: Document, *, like: str | None) -> None:
        """Store *document* under its root, unless it is there; *like* is a root it resembles."""
        if self._remembered.manifest(document.root) is not None:
            return
        parts = split(document)
        base = await self._base(like) if like else None
        ids = await self._pieces.keep(parts, base.parts if base else {})
        whole = Whole(document.root, {part.path: ids[part.hash] for part in parts})
        manifest = Manifest(document.mode, whole)
        packed = None
        if base is not None and (differs := difference(base.parts, whole.parts)) is not None:
            manifest, packed = Manifest(document.mode, base, *differs), pack_difference(*differs)
        row = {
            "root": document.root,
            "meaning": document.meaning,
            "mode": document.mode,
            "base": manifest.base.root if packed else None,
            "packed": packed or pack(whole.parts),
        }
        await self._session.execute(insert_new(self._session, _MANIFEST), row)
        self._written[document.root] = manifest

    async def document(self, root: str) -> Document:
        """The document with this *root*, checked against it. Raises `Corrupt`."""
        mode, manifest = await self._read(root)
        places = {part: path for path, part in manifest.items()}
        data = await self._pieces.read(places, of=root)
        try:
            parts = (Part(path, *data[part]) for path, part in manifest.items())
            return join_stored(mode, parts, root)
        except Unreadable as error:
            raise Corrupt(f"what is stored under {root} is damaged: {error}") from error

    def known(self, rows: Set[int]) -> None:
        """Show these parts no more, of `Differing.shared`, to anybody in this process."""
        self._remembered.add_known(rows)

    async def differing(self, old: str, new: str) -> Differing:
        """What differs between the documents of two roots.

        Each part that is read has its hash; that all of them make up the roots is not looked at.

        Raises:
            Corrupt: Something that has to be read is damaged.
        """
        roots = f"{old} or {new}"
        before, after = await self._manifest(old), await self._manifest(new)
        found = overlap(before, after, self._remembered.known)
        data = await self._data(found.places(), roots)
        try:
            left, right = content_of(found.old, data), content_of(found.new, data)
            ends = ends_of(found, before, (left, right))
            more = {part: end for end, part in ends.items() if part not in data}
            data |= await self._data(more, roots)
            return Differing(
                (before.mode, left),
                (after.mode, right),
                {part: load(path, data[part]) for part, path in found.shared.items()},
                {end: load(end, data[part]) for end, part in ends.items()},
                size=sum(map(len, data.values())),
            )
        except Unreadable as error:
            raise Corrupt(f"what is stored under {roots} is damaged: {error}") from error

    # -- how ------------------------------------------------------------------------------------

    async def _data(self, places: Mapping[int, str], root: str) -> dict[int, bytes]:
        if not places:
            return {}
        found = await self._pieces.read(places, of=root)
        return {part: data for part, (_, data) in found.items()}

    async def _base(self, like: str) -> Whole | None:
        """The whole manifest that the one of *like* stands on, or is; None if it is damaged.

        It is read each time: what is new shall not depend on what was damaged meanwhile.
        """
        try:
            _, base, packed, further, of_base = await self._row(like)
            if base is None:
                return Whole(like, unpack(packed))
            return Whole(base, _of_base(like, further, of_base))
        except Corrupt:
            return None

    async def _manifest(self, root: str) -> Manifest:
        """The manifest of *root*, as it was when this process first read or wrote it."""
        known = self._remembered.manifest(root) or self._written.get(root)
        if known is None:
            known = await self._layered(root)
            self._remembered.add_manifest(root, known)
        return known

    async def _layered(self, root: str) -> Manifest:
        mode, base, packed, further, of_base = await self._row(root)
        if base is None:
            return Manifest(mode, Whole(root, unpack(packed)))
        whole = self._remembered.whole(base)
        if whole is None:
            whole = Whole(base, _of_base(root, further, of_base))
        return Manifest(mode, whole, *unpack_difference(packed))

    async def _read(self, root: str) -> tuple[str, dict[str, int]]:
        """Mode and manifest of the document with this *root*, as it is stored now."""
        mode, base, packed, further, of_base = await self._row(root)
        if base is None:
            return mode, unpack(packed)
        return mode, unpack(packed, _of_base(root, further, of_base))

    async def _row(self, root: str) -> tuple[str, str | None, bytes, str | None, bytes | None]:
        """Mode, base and packed form of a manifest; base and packed form of its base."""
        row = (await self._session.execute(_ROW, {"wanted": root})).first()
        if row is None:
            raise Corrupt(f"there is no manifest of {root}")
        mode, stands_on, packed, further, of_base = row
        return mode, stands_on, packed, further, of_base


def _of_base(root: str, further: str | None, packed: bytes | None) -> dict[str, int]:
    if packed is None or further is not None:
        raise Corrupt(f"the manifest of {root} has lost its base")
    return unpack(packed)
