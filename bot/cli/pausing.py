"""`keyturn pause` and `keyturn resume`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bot.cli.database import existing_database
from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, end, remark, say, say_json, screen

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.domain.resumption import Anchor
    from bot.services.resume import Comparison
    from store.records import Paused

_ANCHOR = re.compile(r"(?:(\d{1,15}):)?([0-9a-f]{12,64})")
_WRITTEN_DOWN = re.compile(r"(?:(\d{1,15}) entries, head )?\b([0-9a-f]{64})\b")


def pause(
    reason: Annotated[str, typer.Option(help="Why; everybody who asks is told.")],
    restored: Annotated[
        bool,
        typer.Option(
            "--restored", help="The database is a copy or an old backup: nothing in it is current."
        ),
    ] = False,
) -> None:
    """Execute nothing and take no votes until `keyturn resume`.

    Alerts are still taken.
    """
    from bot import log

    log.configure(level="WARNING")
    new = run(_pause(existing_database(), reason, restored=restored))
    say("paused; `keyturn resume` ends it" if new else "it is paused already")


def resume(
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="[SEQ:]HASH", help="A head of the audit chain that was written down elsewhere."
        ),
    ] = None,
    anchor_file: Annotated[
        Path | None,
        typer.Option(help="A file with one, or with the newest `keyturn audit export`."),
    ] = None,
    without_anchor: Annotated[
        bool, typer.Option("--without-anchor", help="There is none to compare with.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Resume although something differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare a paused database with reality, and go on.

    Ends with 1 and stays paused when a person has to decide, unless --accept is given. Open
    rollbacks of a copy are brought to an end; none of them is executed.
    """
    from bot import log
    from bot.config.load import from_process

    log.configure(level="ERROR")
    kept = _anchor(anchor, anchor_file)
    settings = from_process()
    existing_database()
    found, resumed = run(_resume(settings, kept, without_anchor=without_anchor, accept=accept))
    if found is None:
        say_json({"paused": False}) if as_json else say("it is not paused")
        raise SystemExit(DONE)
    _tell(found, resumed=resumed, as_json=as_json)
    raise SystemExit(DONE if resumed else NO)


def _ask_for_an_anchor() -> NoReturn:
    end(
        WRONG_USE,
        "this database is a copy, and nothing outside it says where its audit chain should end",
        "give the record on the newest card in Slack, or the head that the original's"
        " `keyturn audit verify` prints, as --anchor,",
        "an export of its chain as --anchor-file, or say --without-anchor",
    )


def _anchor(given: str | None, file: Path | None) -> Anchor | None:
    if given is not None and file is not None:
        end(WRONG_USE, "--anchor and --anchor-file are two ways to say one thing; give one")
    if given is not None:
        return _typed(given)
    return None if file is None else _read(file)


def _typed(given: str) -> Anchor:
    from bot.domain.resumption import Anchor

    match = _ANCHOR.fullmatch(given.strip().lower())
    if match is None:
        end(WRONG_USE, "--anchor takes [SEQ:]HASH, of the hash at least its first 12 digits")
    return Anchor(match.group(2), int(match.group(1)) if match.group(1) else None)


def _read(file: Path) -> Anchor:
    """The newest link in *file*: the last line of an export, or the last hash of a text."""
    from bot.domain.resumption import Anchor

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        end(WRONG_USE, f"{file} cannot be read as text")
    links = dict(link for line in lines if (link := _link(line)) is not None)
    if links:
        newest = max(links)
        return Anchor(links[newest], newest, links)
    found = [match for line in lines for match in _WRITTEN_DOWN.finditer(line)]
    if not found:
        end(WRONG_USE, f"{file} holds neither an audit export nor a head of the chain")
    return Anchor(found[-1].group(2), int(found[-1].group(1)) if found[-1].group(1) else None)


def _link(line: str) -> tuple[int, str] | None:
    """The number and the hash of a line of `keyturn audit export`."""
    import json

    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    seq, digest = said.get("seq"), said.get("hash")
    return (seq, digest) if isinstance(seq, int) and isinstance(digest, str) else None


async def _pause(url: str, reason: str, *, restored: bool) -> bool:
    from bot.opening import opened
    from bot.services.resume import pause_entry
    from store.records import PauseOrigin

    origin = PauseOrigin.RESTORED if restored else PauseOrigin.PERSON
    entry = pause_entry(reason, restored=restored)
    async with opened(url) as store, store.write() as tx:
        return await tx.pause.mark(origin, reason, entry=entry)


async def _resume(
    settings: Settings, anchor: Anchor | None, *, without_anchor: bool, accept: bool
) -> tuple[Comparison | None, bool]:
    from bot.opening import desk
    from bot.renewal.watched import watched
    from bot.services.resume import Resume

    async with desk(settings) as at, at.store.read() as tx:
        included = await tx.included.all()
        paused: Paused | None = await tx.pause.current()
    if paused is None:
        return None, False
    if paused.origin.is_copy and anchor is None and not without_anchor:
        _ask_for_an_anchor()
    async with desk(watched(settings, included).settings) as at:
        resuming = Resume(at.store, at.places, at.snapshot)
        found = await resuming.compare(paused, anchor)
        if found.needs_a_person and not accept:
            await resuming.refuse(found)
            return found, False
        await resuming.carry_out(found, accepted=accept)
        return found, True


def _tell(found: Comparison, *, resumed: bool, as_json: bool) -> None:
    from bot.services.resume import told

    if as_json:
        say_json({"paused": not resumed, "compared": told(found.lines)})
        return
    from rich.table import Table
    from rich.text import Text

    from bot.textsafe import one_line

    table = Table("", "compared", "found", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for line in found.lines:
        mark = Text("differs", style="bold red") if line.person else Text("ok", style="green")
        table.add_row(mark, one_line(line.what, 120), one_line(line.said, 600))
    screen().print(table)
    if resumed:
        say("resumed: rollbacks are executed again")
    else:
        remark(
            "it stays paused: somebody has to look at what differs",
            "then `keyturn resume --accept` with the same words resumes all the same",
        )
