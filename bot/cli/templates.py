"""`keyturn templates`: which ones there are, which are the team's, and ours to begin from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.telling import WRONG_USE, end, remark, say

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOM = "slack/"


def templates(
    out: Annotated[
        Path | None,
        typer.Option(help="Write Keyturn's own into this folder; what is there already stays."),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(help="Write a page of every message, as Slack draws it, with yours."),
    ] = None,
) -> None:
    """List the templates of what people read in Slack; `--out` writes Keyturn's own.

    Change those that you want otherwise, delete the others, and name the folder as `templates` in
    `[slack]`. Of `words/*.j2` a file may hold only the sentences of your own. Each is tried on
    every message before it is used; one that breaks, or whose buttons would do anything else, is
    left out, and Keyturn's own is used. `--preview` shows them all.
    """
    from bot.config.templates import ours

    if out is not None:
        _write(ours(), out)
    if preview is not None:
        _preview(preview)
    if out is None and preview is None:
        _list(ours())


def _list(ours: Mapping[str, Path]) -> None:
    from bot.config.load import from_process

    settings = from_process()
    refused = [line for line in settings.notices if line.startswith("slack.templates:")]
    for name in ours:
        short = name.removeprefix(_ROOM)
        say(f"{short}  (yours)" if name in settings.slack.templates else short)
    for line in refused:
        remark(line.partition(": ")[2])


def _write(ours: Mapping[str, Path], out: Path) -> None:
    written = 0
    try:
        for name, file in ours.items():
            to = out / name.removeprefix(_ROOM)
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.exists():
                to.write_bytes(file.read_bytes())
                written += 1
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written to ({error.strerror})")
    remark(f"{written} templates written, {len(ours) - written} were there already")


def _preview(page: Path) -> None:
    from bot.config.load import from_process
    from bot.playground.page.gallery import gallery
    from bot.playground.page.names import Names
    from bot.samples.cards import GROUPS, PEOPLE
    from bot.samples.drawn import sent
    from bot.voice import Voice, speaking

    slack = from_process().slack
    own = slack.templates
    with speaking(Voice(own, slack.language)):
        html = gallery("What Keyturn says in Slack", sent(), Names(PEOPLE, GROUPS))
    try:
        page.write_text(html, encoding="utf-8")
    except OSError as error:
        end(WRONG_USE, f"{page} cannot be written to ({error.strerror})")
    remark(f"every message is on {page}, drawn with {len(own) or 'none'} of your templates")
