"""What the live version of an app uses beside other apps: models, tools and knowledge bases."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from bot.domain.references import Kind, Needed, references
from bot.ports.store import Store
from store.document import Document
from store.records import AppEnv, Corrupt, Missing

log = logging.getLogger(__name__)

_KEPT = 2000  # documents whose uses are remembered


class Uses:
    """Reads what the store has; a document is looked through once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[str, ...]] = {}

    async def __call__(self, places: Sequence[AppEnv]) -> Mapping[AppEnv, tuple[str, ...]]:
        """Return what outside the apps each of *places* uses, as people call it; () for nothing.

        Two apps that name the same thing use the same thing.
        """
        return {where: await self._of(where) for where in places}

    async def _of(self, where: AppEnv) -> tuple[str, ...]:
        async with self._store.read() as tx:
            live = await tx.versions.newest(where)
            if live is None:
                return ()
            if live.root in self._known:
                return self._known[live.root]
            try:
                document = await tx.versions.document(live.id)
            except (Corrupt, Missing):  # an app beside the alerting one must not hold it up
                log.warning("uses unknown", extra={"app": str(where), "version": live.id})
                return ()
        found = await asyncio.to_thread(_outside, document)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[live.root] = found
        return found


def _outside(document: Document) -> tuple[str, ...]:
    return tuple(sorted({_name(one.needed, one.label) for one in references(document)}))


def _name(needed: Needed, label: str) -> str:
    """Models of one provider fail together, and so do the tools of one."""
    if needed.kind is Kind.KNOWLEDGE_BASE:
        return f"knowledge base {label or needed.name}"
    return (needed.provider or needed.name).rpartition("/")[2]
