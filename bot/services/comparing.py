"""The difference of two stored versions; of what is the same in both next to nothing is read.

What votes bind to is not made here: there, both documents are read in full and checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from bot.domain.diff.changes import ChangeList, compare_contents
from bot.domain.diff.left_out import LeftOut
from bot.domain.redact_fields import node_may_hold_credentials
from bot.ports.store import Store
from store.records import Json, Version

_LITTLE = 32 * 1024  # bytes; comparing them takes less than handing them to a thread


async def between(store: Store, old: Version, new: Version) -> ChangeList:
    """Return what differs in meaning between two stored versions, as `compare` tells it.

    Raises:
        Corrupt: Something that differs cannot be read.
    """
    async with store.read() as tx:
        found = await tx.versions.differing(old, new)
        suspects = _suspects(found.shared)
        tx.versions.known(found.shared.keys() - suspects.keys())
    left_out = LeftOut(list(suspects.values()), found.ends)
    made = partial(compare_contents, found.before, found.after, left_out=left_out)
    return made() if found.size <= _LITTLE else await asyncio.to_thread(made)


def _suspects(shared: Mapping[int, Json]) -> dict[int, Json]:
    """The nodes that may hold a credential; the others need never be looked at again."""
    return {row: node for row, node in shared.items() if node_may_hold_credentials(node)}
