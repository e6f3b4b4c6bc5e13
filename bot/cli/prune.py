"""`keyturn prune`: clear away now what was done and told long ago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import say, say_json

if TYPE_CHECKING:
    from store.records import Keeping

_CALLED = {
    "inbox": "judged clicks and commands",
    "outbox": "sent messages",
    "webhooks": "webhooks",
    "webhooks_set_aside": "webhooks that could not be filed",
    "alerts": "alerts of no case",
    "drafts": "drafts that no rollback keeps",
    "events": "events for other systems",
}


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Remove what was done longer ago than `[retention]` keeps.

    `keyturn serve` does so by itself every six hours. Versions, cases, rollbacks and the audit
    trail are never removed; in a paused database nothing is.
    """
    from bot import log
    from bot.cli.database import existing_database
    from bot.config.load import from_process

    log.configure(level="ERROR")
    keeping = from_process().keeping
    removed, paused = run(_prune(existing_database(), keeping, dry_run=dry_run))
    if as_json:
        say_json({"removed": not (dry_run or paused), "paused": paused, **removed})
    elif paused:
        say("this database is paused, so nothing is removed; `keyturn resume` ends that")
    elif not any(removed.values()):
        say("there is nothing old enough to be removed")
    else:
        say(f"{'would remove' if dry_run else 'removed'} {_listed(removed)}")


async def _prune(url: str, keeping: Keeping, *, dry_run: bool) -> tuple[dict[str, int], bool]:
    """How many rows of each kind went, or would; and whether the database is paused."""
    from bot.opening import opened
    from bot.services import prune
    from bot.services.tagging import OPERATOR

    async with opened(url) as store:
        async with store.read() as tx:
            paused = await tx.pause.current() is not None
            over = await tx.retention.over(keeping)
        if paused or dry_run:
            return dict(over), paused
        with progress("removing", sum(over.values())) as advance:
            gone = await prune.prune(
                store, keeping, user_id=OPERATOR, done=lambda count: advance(count, "")
            )
        return {kind: gone.get(kind, 0) for kind in over}, False


def _listed(removed: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_CALLED[kind]}" for kind, count in removed.items() if count)
