"""What the changes that may have done it touch: read only of those, since it takes a comparison."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from bot.ports.store import Store
from bot.services.comparing import between
from store.records import Corrupt, Missing, Version

log = logging.getLogger(__name__)
MOST = 6  # changes of one app


async def kinds(
    store: Store, history: Sequence[Version], *, since: datetime
) -> Mapping[int, frozenset[str]]:
    """Return what each of the newest changes from *since* on touches, by number.

    *history* is newest first. What cannot be read, and what means the same as before, is left out.
    """
    numbered = [version for version in history if version.number is not None]
    steps = [
        (newer, older)
        for newer, older in pairwise(numbered)
        if newer.published_at >= since and newer.meaning != older.meaning
    ]
    found: dict[int, frozenset[str]] = {}
    for newer, older in steps[:MOST]:
        try:
            changes = await between(store, older, newer)
        except (Corrupt, Missing) as error:
            log.warning("change not read", extra={"version": newer.id, "error": str(error)})
            continue
        found[newer.number or 0] = frozenset(changes.counts())
    return found
