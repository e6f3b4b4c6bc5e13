"""The database of commands that need nothing else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from bot.cli.telling import WRONG_USE, end


def existing_database() -> str:
    """The database's address; the command ends when it names an SQLite file that is not there.

    An empty one made on the way would verify nicely.
    """
    from bot.config.load import database_url

    url = database_url().get_secret_value()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        end(WRONG_USE, f"there is no database {file}; set DATABASE_URL to the right one")
    return url


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite address; None for another kind of database."""
    scheme, _, path = url.partition(":///")
    file = path.partition("?")[0]
    return Path(unquote(file)) if scheme.startswith("sqlite") and file else None
