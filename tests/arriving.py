"""Webhooks that came and were filed: what most tests begin with."""

from __future__ import annotations

from bot.ports.store import Store
from bot.services.filing import Filing
from store.records import Delivery


async def delivered(store: Store, *deliveries: Delivery) -> None:
    """Keep *deliveries* as the door does, then file everything that waits."""
    await store.keep(deliveries)
    await file_all(store)


async def file_all(store: Store) -> None:
    """File everything that waits, as the worker does, without its rests."""

    async def rest(_: float) -> None:
        return

    worker = Filing(store, nudge=lambda: None, rest=rest, monotonic=lambda: 0.0)
    while await worker.step():
        pass
