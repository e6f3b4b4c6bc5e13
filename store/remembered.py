"""What a process knows of a database that never changes in it: parts by hash, whole manifests.

Parts and manifests are never altered and never removed. What a transaction wrote is remembered
after its commit: what was rolled back was never there. With each new connection all is forgotten:
after a fail-over the last commits may be gone, and their rows' numbers given to others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from store.differing import Manifest, Whole

_MOST_PARTS = 200_000  # some 40 MB
_MOST_PATHS = 500_000  # of whole manifests: some 80 MB
_MOST_MANIFESTS = 20_000  # that stand on them
_MOST_KNOWN = 500_000  # some 30 MB


class Remembered:
    """Shared by all transactions of one store; everything in it was committed.

    What grows too large is forgotten and read again.
    """

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}
        self._manifests: dict[str, Manifest] = {}
        self._wholes: dict[str, Whole] = {}
        self._paths = 0
        self._known: set[int] = set()

    def parts(self, hashes: Iterable[str]) -> dict[str, int]:
        """Return the rows of those parts that are remembered, by hash."""
        there = self._parts
        return {digest: there[digest] for digest in hashes if digest in there}

    def add_parts(self, rows: Mapping[str, int]) -> None:
        """Remember committed *rows* of parts, by hash."""
        if len(self._parts) + len(rows) > _MOST_PARTS:
            self._parts.clear()
        self._parts.update(rows)

    def manifest(self, root: str) -> Manifest | None:
        """Return the manifest of *root*, if it is remembered."""
        return self._manifests.get(root)

    def whole(self, root: str) -> Whole | None:
        """Return the whole manifest of *root*, if it is remembered."""
        return self._wholes.get(root)

    def add_manifest(self, root: str, manifest: Manifest) -> None:
        """Remember a committed manifest, and with it the whole one that it stands on."""
        if self._paths > _MOST_PATHS or len(self._manifests) > _MOST_MANIFESTS:
            self._manifests.clear()
            self._wholes.clear()
            self._paths = 0
        whole = self._wholes.get(manifest.base.root)
        if whole is None:
            whole = self._wholes[manifest.base.root] = manifest.base
            self._paths += len(whole.parts)
        self._manifests[root] = replace(manifest, base=whole)  # many share one

    @property
    def known(self) -> Set[int]:
        """The rows of parts that need not be shown to whoever compares."""
        return self._known

    def add_known(self, rows: Set[int]) -> None:
        """Remember that these parts need not be shown again."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(rows)
