"""`keyturn audit …`: the chain checked."""

from __future__ import annotations

import typer

from bot.cli.running import run
from bot.cli.telling import NO, end, say

audit = typer.Typer(help="The audit chain.", no_args_is_help=True, rich_markup_mode=None)


@audit.command()
def verify() -> None:
    """Check the audit chain from its first entry to its head."""
    from bot import log
    from bot.cli.database import existing_database
    from bot.opening import verify_audit

    log.configure(level="WARNING")
    found = run(verify_audit(existing_database()))
    if not found.ok:
        end(NO, f"the audit chain is broken at entry {found.broken_at}: {found.why}")
    say(f"the audit chain is whole: {found.entries} entries, head {found.head}")
