"""Which parts make up a document, as few bytes: whole, or as what differs from another. Pure.

A manifest maps paths to the ids of parts. Most versions share nearly all of theirs with the one
before, so it is kept as a difference to a whole one, its base, never to another difference:
reading takes two rows, and what is damaged damages no more than its own versions.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import zstandard

from store.records import Corrupt

MOST_DIFFERENT = 48  # paths; a manifest that differs in more from its base is kept whole
_LEVEL = 9  # these are small and are written once
Manifest = Mapping[str, int]


def pack(manifest: Manifest) -> bytes:
    """Return the bytes of a whole *manifest*."""
    return _squeezed([[*manifest], [*manifest.values()]])


def difference(base: Manifest, manifest: Manifest) -> tuple[dict[str, int], frozenset[str]] | None:
    """Return what *manifest* has other than *base*, and what it has not; None if it is too much."""
    changed = {path: part for path, part in manifest.items() if base.get(path) != part}
    gone = frozenset(path for path in base if path not in manifest)
    return (changed, gone) if len(changed) + len(gone) <= MOST_DIFFERENT else None


def pack_difference(changed: Manifest, gone: frozenset[str]) -> bytes:
    """Return the bytes of a `difference`."""
    return _squeezed([[*changed], [*changed.values()], sorted(gone)])


def unpack(packed: bytes, base: Manifest | None = None) -> dict[str, int]:
    """Return the manifest that was packed, a difference by the help of its *base*.

    Raises:
        Corrupt: The bytes are no manifest, or one of the other kind.
    """
    if base is None:
        parts, gone = _unsqueezed(packed)
        return _whole(parts, gone)
    changed, left_out = unpack_difference(packed)
    return {path: part for path, part in base.items() if path not in left_out} | changed


def unpack_difference(packed: bytes) -> tuple[dict[str, int], frozenset[str]]:
    """Return what a manifest has other than its base, and which paths it has not.

    Raises:
        Corrupt: The bytes are no such difference.
    """
    changed, gone = _unsqueezed(packed)
    try:
        (paths,) = gone
        return changed, frozenset(paths)
    except (ValueError, TypeError) as error:
        raise Corrupt("a manifest cannot be unpacked") from error


def _unsqueezed(packed: bytes) -> tuple[dict[str, int], list[list[str]]]:
    try:
        found = orjson.loads(zstandard.ZstdDecompressor().decompress(packed))
        paths, parts, *gone = found
        return dict(zip(paths, parts, strict=True)), gone
    except (zstandard.ZstdError, MemoryError, ValueError, TypeError) as error:
        raise Corrupt("a manifest cannot be unpacked") from error


def _whole(manifest: dict[str, int], gone: list[list[str]]) -> dict[str, int]:
    if gone:
        raise Corrupt("a manifest has lost its base")
    return manifest


def _squeezed(value: object) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(orjson.dumps(value))
