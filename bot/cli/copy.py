"""`keyturn copy`: the whole store into another database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.database import existing_database
from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import NO, WRONG_USE, end, say, say_json

if TYPE_CHECKING:
    from bot.moving import Copied


def copy(
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="An empty database. PostgreSQL's password may come from PGPASSWORD instead.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Copy the whole store into another, empty database.

    Stop the service first. The other database is migrated; then everything is copied in one
    transaction, compared, and kept or not. The copy is paused until `keyturn resume` has compared
    it with reality.
    """
    from bot import log
    from bot.moving import address_to_show
    from store.records import NotEmpty, StillUsed, Unavailable

    log.configure(level="WARNING")
    try:
        shown = address_to_show(to)
    except ValueError as error:
        end(WRONG_USE, f"--to {error}")
    try:
        copied = run(_copy(existing_database(), to))
    except NotEmpty as error:
        end(WRONG_USE, f"{shown} is not empty: {error}; name an empty database")
    except StillUsed as error:
        end(NO, f"the database is in use: {error}")
    except Unavailable as error:
        end(NO, f"a database cannot be used ({error}); check DATABASE_URL and {shown}")
    if as_json:
        audit = {"entries": copied.entries, "head": copied.head}
        say_json({"to": shown, "paused": True, "rows": dict(copied.rows), "audit": audit})
        return
    say(f"{shown}: {sum(copied.rows.values()):,} rows in {len(copied.rows)} tables")
    say(f"the audit chain is whole: {copied.entries} entries, head {copied.head}")
    say("it is paused: set DATABASE_URL to it, and run `keyturn resume`")


async def _copy(url: str, to: str) -> Copied:
    from bot.moving import copy_store, rows_in

    with progress("copying", await rows_in(url)) as advance:
        return await copy_store(url, to, advance=advance)
