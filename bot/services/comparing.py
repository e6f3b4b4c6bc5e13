"""The difference of two stored versions; of what is the same in both next to nothing is read.

What votes bind to is not made here: there, both documents are read in full and checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from bot.domain.diff.changes import ChangeList, compare_contents
from bot.domain.diff.left_out import LeftOut
from bot.domain.redact_fields import node_may_hold_credentials
from bot.ports.store import Store
from store.differing import Differing
from store.records import Json, Version

_LISTS = ("nodes", "edges")
_FEW = 8  # nodes and connections; comparing them takes less than handing them to a thread
_MOST = 500_000  # rows of parts that are remembered, some 30 MB; then all are looked at again
# The nodes of each store that hold no credential: a part never changes, and neither does the rule.
_harmless: WeakKeyDictionary[Store, set[int]] = WeakKeyDictionary()


async def between(store: Store, old: Version, new: Version, *, layout: bool = False) -> ChangeList:
    """Return what differs in meaning between two stored versions, as `compare` tells it.

    Raises:
        Corrupt: Something that differs cannot be read.
    """
    harmless = _harmless.setdefault(store, set())
    async with store.read() as tx:
        found = await tx.versions.differing(old, new, known=harmless)
    if len(found.shared) + _pieces(found) <= _FEW:
        return _compared(found, harmless, layout=layout)
    return await asyncio.to_thread(_compared, found, harmless, layout=layout)


def _pieces(found: Differing) -> int:
    """How many nodes and connections there are to compare."""
    graphs = (content.get("graph") for _, content in (found.before, found.after))
    lists = (graph.get(name) for graph in graphs if isinstance(graph, dict) for name in _LISTS)
    return sum(len(items) for items in lists if isinstance(items, list))


def _compared(found: Differing, harmless: set[int], *, layout: bool) -> ChangeList:
    left_out = LeftOut(_suspects(found.shared, harmless), found.ends)
    return compare_contents(found.before, found.after, layout=layout, left_out=left_out)


def _suspects(shared: Mapping[int, Json], harmless: set[int]) -> list[Json]:
    suspects = {row: node for row, node in shared.items() if node_may_hold_credentials(node)}
    if len(harmless) > _MOST:
        harmless.clear()
    harmless |= shared.keys() - suspects.keys()
    return list(suspects.values())
