"""What a process knows of a database that never changes in it: parts by hash, whole manifests.

Parts and manifests are never altered and never removed. What a transaction wrote is remembered
after its commit: what was rolled back was never there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from store.differing import Manifest, Whole

_MOST_PARTS = 200_000  # some 40 MB; then all is forgotten and read again
_MOST_MANIFESTS = 1_000  # dozens share a whole one: a few hundred kB for 1,000 nodes


class Remembered:
    """Shared by all transactions of one store; everything in it was committed."""

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}
        self._manifests: dict[str, Manifest] = {}
        self._wholes: dict[str, Whole] = {}

    def parts(self, hashes: Iterable[str]) -> dict[str, int]:
        """Return the rows of those parts that are known, by hash."""
        known = self._parts
        return {digest: known[digest] for digest in hashes if digest in known}

    def add_parts(self, rows: Mapping[str, int]) -> None:
        """Remember committed *rows* of parts, by hash."""
        if len(self._parts) + len(rows) > _MOST_PARTS:
            self._parts.clear()
        self._parts.update(rows)

    def manifest(self, root: str) -> Manifest | None:
        """Return the manifest of *root*, if it is known."""
        return self._manifests.get(root)

    def add_manifest(self, root: str, manifest: Manifest) -> None:
        """Remember a committed manifest, and with it the whole one that it stands on."""
        if len(self._manifests) >= _MOST_MANIFESTS:
            self._manifests.clear()
            self._wholes.clear()
        whole = self._wholes.setdefault(manifest.base.root, manifest.base)
        self._manifests[root] = replace(manifest, base=whole)  # many share one

    def whole(self, root: str) -> Whole | None:
        """Return the whole manifest of *root*, if it is known."""
        return self._wholes.get(root)
