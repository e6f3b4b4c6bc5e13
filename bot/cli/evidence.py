"""`keyturn evidence`: the whole record of one rollback as a file that needs nothing else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.numbers import whole
from bot.cli.running import run
from bot.cli.telling import NO, WRONG_USE, end, remark

if TYPE_CHECKING:
    from bot.domain.record.view import RecordPage

_PRIVATE = 0o600


def evidence(
    rollback: Annotated[
        int, typer.Argument(metavar="ROLLBACK_ID", parser=whole(1), help="Its number on the card.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write here, for you alone to read. Default: stdout.")
    ] = None,
) -> None:
    """Write the whole record of a rollback as one HTML file.

    From the alert to the recovery: the page that `/rollback record` links to, with its pictures,
    and the audit entries as data in the form that their hashes are made of; the file says how to
    check them. Secrets are left out.
    """
    from bot import log
    from bot.cli.database import existing_database
    from bot.errors import LinkInvalid

    log.configure(level="WARNING")
    try:
        told, html = run(_made(existing_database(), rollback))
    except LinkInvalid:
        end(
            WRONG_USE,
            f"there is no rollback {rollback}; `keyturn audit tail` names those there are",
        )
    if out is None:
        sys.stdout.buffer.write(html.encode())  # as its head says, whatever the terminal speaks
        sys.stdout.buffer.flush()
    else:
        _write(out, html)
    if told.chain.flaw:
        end(NO, f"the audit entries do not verify: {told.chain.flaw}")
    remark(f"{told.title}: {len(told.chain.entries)} audit entries, which verify")


async def _made(url: str, rollback_id: int) -> tuple[RecordPage, str]:
    from bot import pages
    from bot.charting.apart import chart_apart
    from bot.opening import opened
    from bot.services.record import Records

    async with opened(url) as store:
        told = await Records(store)(rollback_id)
    chart = await chart_apart(told.chart) if told.chart is not None else None
    return told, pages.evidence(told, chart=chart).html


def _write(out: Path, html: str) -> None:
    """Write *html* where nobody else reads it; the file is there only when all of it is."""
    part = out.with_name(f"{out.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        part.replace(out)
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written: {error.strerror}")
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
