"""Read every stored version back and compare it with the root that it is kept under."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bot.ports.store import Store
from store.records import AppEnv, Corrupt, Version

BATCH = 50


@dataclass(frozen=True)
class Verified:
    """One stored version or draft; `damage` says what is wrong with it, empty when it is whole."""

    version: Version
    damage: str = ""


async def verified(store: Store, where: AppEnv | None = None) -> AsyncIterator[Verified]:
    """Yield what is stored, of *where* or of all apps, oldest row first, each as it was found.

    Every byte of each document is read and hashed; nothing is changed, and nothing is locked for
    longer than it takes to read one document.
    """
    after = 0
    while True:
        async with store.read() as tx:
            versions = await tx.versions.stored(after=after, limit=BATCH, where=where)
        if not versions:
            return
        for version in versions:
            async with store.read() as tx:
                try:
                    await tx.versions.document(version.id)
                except Corrupt as damage:
                    yield Verified(version, str(damage))
                else:
                    yield Verified(version)
        after = versions[-1].id
