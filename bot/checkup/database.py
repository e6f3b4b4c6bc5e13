"""Whether the database can be used; nothing is made or migrated."""

from __future__ import annotations

from pathlib import Path

from bot.checkup.finding import Finding, failed, note, ok
from bot.opening import opened
from store.records import NotMigrated, StoreError, Unavailable

_WHAT = "database"


async def finding(url: str) -> Finding:
    """Look at the database at *url*."""
    if (absent := _absent(url)) is not None:
        return absent
    try:
        async with opened(url) as store, store.read() as tx:
            paused = await tx.pause.current()
    except NotMigrated as error:
        return failed(_WHAT, str(error), "run `keyturn migrate`")
    except Unavailable as error:
        return failed(_WHAT, f"cannot be used ({error})", "check DATABASE_URL and that it runs")
    except StoreError as error:
        return failed(_WHAT, str(error), "restore a backup, or let DATABASE_URL name another one")
    if paused is None:
        return ok(_WHAT, "answers, and has this program's schema")
    why = f"is paused since {paused.since:%Y-%m-%d %H:%M} UTC ({paused.reason})"
    return failed(_WHAT, f"{why}: nothing is executed", "run `keyturn resume`, which compares it")


def _absent(url: str) -> Finding | None:
    """What to say of an SQLite file that is not there."""
    scheme, _, rest = url.partition(":///")
    file = Path(rest.partition("?")[0])
    if not scheme.startswith("sqlite") or file.exists():
        return None
    if file.parent.is_dir():
        return note(_WHAT, f"{file} is not there yet; `keyturn serve` makes it")
    return failed(_WHAT, f"the folder of {file} is not there", "make it, or correct DATABASE_URL")
