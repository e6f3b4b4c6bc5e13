"""`keyturn backup`: the database copied while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bot.cli.database import existing_database, sqlite_file
from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import WRONG_USE, end, say


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace FILE if it is there already.")
    ] = False,
) -> None:
    """Copy the SQLite database to FILE while the service runs.

    The copy is checked. PostgreSQL has a tool of its own: there this names the command and ends
    with 2.
    """
    from bot import log
    from bot.moving import back_up

    log.configure(level="WARNING")
    url = existing_database()
    source = sqlite_file(url)
    if source is None:
        _name_the_tool(url, file)
    _may_write(source, file, force=force)
    try:
        with progress("copying", 100) as advance:
            made = run(back_up(url, source, file, advance=lambda n, of: advance(100 * n // of, "")))
    except OSError as error:
        end(WRONG_USE, f"{file} cannot be written: {error.strerror}")
    say(
        f"{made.file}: {made.size:,} bytes, schema {made.revision}, {made.versions} stored versions"
    )
    say(f"the audit chain is whole: {made.entries} entries, head {made.head}")


def _name_the_tool(url: str, file: Path) -> NoReturn:
    import shlex

    from bot.moving import address_to_show

    command = ["pg_dump", "--format=custom", f"--file={file}", f"--dbname={address_to_show(url)}"]
    end(
        WRONG_USE,
        "the database is on PostgreSQL, whose own tool makes backups of it:",
        shlex.join(command),
        "It takes the password from PGPASSWORD or ~/.pgpass.",
    )


def _may_write(source: Path, file: Path, *, force: bool) -> None:
    from bot.moving import in_use

    if file.is_dir():
        end(WRONG_USE, f"{file} is a folder; name a file in it")
    if not file.exists():
        return
    if file.samefile(source):
        end(WRONG_USE, f"{file} is the database itself; name another file")
    if not force:
        end(WRONG_USE, f"{file} is there already; --force replaces it")
    if in_use(file):
        end(WRONG_USE, f"{file} is a database that is in use; name another file")
