"""`keyturn audit anchors`, `verifier` and `key`: what is kept and checked outside the database."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, end, remark, say, say_json

if TYPE_CHECKING:
    from store.records import AuditAnchor, Verification

FROM_STDIN = Path("-")


def anchors() -> None:
    """Write the anchors that were published: one JSON object a line, oldest first.

    What is kept of them in the database its owner can rewrite, so keep these lines elsewhere; the
    log of the service has them too. As long as messages are kept (`[retention] outbox`).
    """
    from bot.cli.database import existing_database

    told = run(_published(existing_database()))
    for anchor in told:
        say_json({"sequence": anchor.sequence, "hash": anchor.hash, "at": anchor.at})
    remark(f"{len(told)} anchors were published")


def verifier(
    out: Annotated[Path | None, typer.Option(help="Write here. Default: stdout.")] = None,
) -> None:
    """Write a program that checks an export and its anchors with Python alone."""
    from bot.cli import standalone

    source = Path(standalone.__file__).read_text(encoding="utf-8")
    if out is None:
        sys.stdout.write(source)
        sys.stdout.flush()
        return
    try:
        out.write_text(source, encoding="utf-8")
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written: {error.strerror}")


def key() -> None:
    """Print the secrets with which posted anchors are signed, for the receiver; newest first."""
    from bot.adapters.anchors.wire import secret
    from bot.assembly.keys import ANCHORS, derive
    from bot.config.load import from_process

    keys = from_process().secret_keys
    if not keys:
        end(WRONG_USE, "KEYTURN_SECRET_KEY is not set; what signs anchors is derived from it")
    for one in derive(keys, ANCHORS):
        say(secret(one))


def kept_in(files: Iterable[Path]) -> list[AuditAnchor]:
    """Every anchor in *files*, once; the command ends where one of them holds none."""
    from bot.cli.standalone import anchors_in, each_once
    from store.records import AuditAnchor

    found: list[tuple[int, str]] = []
    for file in files:
        try:
            text = sys.stdin.buffer.read() if file == FROM_STDIN else file.read_bytes()
        except OSError as error:
            end(WRONG_USE, f"{file} cannot be read: {error.strerror}")
        here = list(anchors_in(line.decode("utf-8", "replace") for line in text.split(b"\n")))
        if not here:
            end(WRONG_USE, f"{file} holds no anchor: a number of an entry and its hash")
        found += here
    return [AuditAnchor(number, digest) for number, digest in each_once(found)]


def check_export(file: Path, anchors: Sequence[AuditAnchor], *, as_json: bool) -> NoReturn:
    """Check the export in *file* by itself; no database is opened."""
    from bot.cli import standalone
    from store.records import Verification

    kept = [(anchor.sequence, anchor.hash) for anchor in anchors]
    try:
        with standalone.lines_of(str(file)) as lines:
            found = standalone.check(lines, kept)
    except OSError as error:
        end(WRONG_USE, f"{file} cannot be read: {error.strerror}")
    if not found.last and not found.wrong:
        end(WRONG_USE, f"there is no entry in {file}")
    told = Verification(
        not found.wrong,
        max(found.last - found.first + 1, 0),
        found.head,
        found.broken_at,
        found.wrong,
        found.held,
        found.anchored,
    )
    tell(told, anchors, newest=found.last, as_json=as_json)


def tell(
    found: Verification, anchors: Sequence[AuditAnchor], *, newest: int, as_json: bool
) -> NoReturn:
    """Say what came of a check of a chain that goes to entry *newest*, and end accordingly."""
    unseen = found.ok and anchors and not found.held
    if as_json:
        say_json(_as_json(found, newest))
    elif not found.ok:
        end(NO, f"the audit chain is broken at entry {found.broken_at}: {found.why}")
    else:
        say(f"the audit chain is whole: {found.entries} entries, head {found.head}")
        if found.held:
            say(
                f"anchors that hold: {found.held}, the newest of entry {found.anchored};"
                f" entries after it, which nobody outside has seen: {newest - found.anchored}"
            )
    if unseen:
        end(WRONG_USE, f"none of the {len(anchors)} anchors is of one of these entries")
    raise SystemExit(DONE if found.ok else NO)


def _as_json(found: Verification, newest: int) -> dict[str, object]:
    """The result; where the chain is whole it is an anchor too."""
    if not found.ok:
        return {"ok": False, "broken_at": found.broken_at, "why": found.why}
    return {
        "ok": True,
        "sequence": newest,
        "hash": found.head,
        "entries": found.entries,
        "anchors": found.held,
        "anchored": found.anchored,
    }


async def _published(url: str) -> list[AuditAnchor]:
    from bot.opening import opened

    async with opened(url) as store, store.read() as tx:
        return await tx.outbox.published()
