"""What a process knows of a database that never changes in it: parts by hash, whole manifests.

Parts and manifests are never altered and never removed. What a transaction wrote is remembered
after its commit: what was rolled back was never there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from store.differing import Whole

_MOST_PARTS = 200_000  # some 40 MB; then all is forgotten and read again
_MOST_MANIFESTS = 64  # each a few hundred kB for a workflow of 1,000 nodes


class Remembered:
    """Shared by all transactions of one store; everything in it was committed."""

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}
        self._manifests: dict[str, Whole] = {}

    def parts(self, hashes: Iterable[str]) -> dict[str, int]:
        """Return the rows of those parts that are known, by hash."""
        known = self._parts
        return {digest: known[digest] for digest in hashes if digest in known}

    def add_parts(self, rows: Mapping[str, int]) -> None:
        """Remember committed *rows* of parts, by hash."""
        if len(self._parts) + len(rows) > _MOST_PARTS:
            self._parts.clear()
        self._parts.update(rows)

    def manifest(self, root: str) -> Whole | None:
        """Return the whole manifest of *root*, if it is known."""
        return self._manifests.get(root)

    def add_manifest(self, root: str, manifest: Whole) -> None:
        """Remember a committed whole manifest."""
        while len(self._manifests) >= _MOST_MANIFESTS:
            self._manifests.pop(next(iter(self._manifests)), None)
        self._manifests[root] = manifest
