"""`keyturn audit …`: the chain checked, written out and followed."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.numbers import whole
from bot.cli.outside import anchors, check_export, kept_in, key, tell, verifier
from bot.cli.progress import progress
from bot.cli.running import run, stop_on_signals
from bot.cli.telling import WRONG_USE, end, remark, say, screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from bot.ports.store import Store
    from store.records import AuditEntry

audit = typer.Typer(help="The audit chain.", no_args_is_help=True, rich_markup_mode=None)
BATCH = 1_000
LOOK_AGAIN_S = 1.0
_HASH = re.compile(r"[0-9a-f]{64}")


for _command in (anchors, verifier, key):
    audit.command()(_command)


@audit.command()
def verify(
    anchors: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file with what was kept elsewhere: log lines, an older export, text from"
            " Slack. `-` is stdin; may be given several times."
        ),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Check this export, and no database.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; of a whole chain it is an anchor.")
    ] = False,
) -> None:
    """Check the audit chain from its first entry to its head, and that all anchors are in it."""
    from bot import log
    from bot.cli.database import existing_database
    from bot.opening import verify_audit

    log.configure(level="WARNING")
    kept = kept_in(anchors or ())
    if export is not None:
        check_export(export, kept, as_json=as_json)
    found = run(verify_audit(existing_database(), kept))
    tell(found, kept, newest=found.entries, as_json=as_json)


@audit.command()
def export(
    out: Annotated[Path | None, typer.Option(help="Write here. Default: stdout.")] = None,
    after: Annotated[
        int, typer.Option(parser=whole(0), metavar="NUMBER", help="Only entries above this number.")
    ] = 0,
) -> None:
    """Write the audit chain as JSON lines, oldest first, each with its hash.

    An entry's hash is SHA-256 over `keyturn.audit.v1`, a newline, and the line without `hash`.
    """
    from bot.cli.database import existing_database

    with _written(out) as file:
        count, head = run(_export(existing_database(), file, after))
    remark(f"{count} entries written, the last one has the hash {head}")


@audit.command()
def tail(
    lines: Annotated[
        int,
        typer.Option(
            "--lines",
            "-n",
            parser=whole(0, BATCH),
            metavar="NUMBER",
            help="How many of the newest.",
        ),
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the newest audit entries."""
    from bot.cli.database import existing_database

    run(_tail(existing_database(), lines, follow=follow, as_json=as_json))


@contextmanager
def _written(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or the file *out*, which is there only when all of it is."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        part.replace(out)
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written: {error.strerror}")
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


async def _export(url: str, file: TextIO, after: int) -> tuple[int, str]:
    from bot.domain.record.entries import canonical_line
    from bot.opening import opened

    async with opened(url) as store, store.read() as tx:  # one moment, so that it ends at a head
        newest, head = await tx.audit.head()
        at, count = after, 0
        with progress("audit entries", max(newest - after, 0)) as advance:
            while batch := await tx.audit.entries(after=at, limit=BATCH):
                file.writelines(f"{canonical_line(entry)}\n" for entry in batch)
                at, count = batch[-1].seq, count + len(batch)
                advance(count, "")
    return count, head


async def _tail(url: str, lines: int, *, follow: bool, as_json: bool) -> None:
    import asyncio

    from bot.opening import opened

    stop = stop_on_signals()
    async with opened(url) as store:
        async with store.read() as tx:
            newest, _ = await tx.audit.head()
        at = await _show_after(store, max(newest - lines, 0), as_json=as_json)
        while follow and not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await stop.wait()
            at = await _show_after(store, at, as_json=as_json)


async def _show_after(store: Store, at: int, *, as_json: bool) -> int:
    """Show every entry above *at*; return the last one's number."""
    while True:
        async with store.read() as tx:
            batch = await tx.audit.entries(after=at, limit=BATCH)
        if not batch:
            return at
        for entry in batch:
            _show(entry, as_json=as_json)
        at = batch[-1].seq


def _show(entry: AuditEntry, *, as_json: bool) -> None:
    if as_json:
        from bot.domain.record.entries import canonical_line

        say(canonical_line(entry))
        return
    from rich.text import Text

    from bot.textsafe import one_line

    told = entry.what if isinstance(entry.what, dict) else {"what": entry.what}  # tampered with
    facts = " ".join(f"{key}={_fact(value)}" for key, value in sorted(told.items()))
    good = entry.status in {"ok", "success"}
    line = Text.assemble(
        (f"{entry.seq:>6} ", "dim"),
        (f"{entry.timestamp[:19].replace('T', ' ')} ", "dim"),
        (one_line(entry.action, 60), "bold"),
        (f" {one_line(entry.status, 40)}", "green" if good else "yellow"),
        f" {one_line(entry.resource, 120)}",
        f" by {one_line(entry.user_id, 80)}",
        (f" {one_line(facts, 400)}" if facts else "", "dim"),
    )
    screen().print(line, soft_wrap=True)


def _fact(value: object) -> str:
    import json

    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:12]  # enough to tell them apart; all of it is in the JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
