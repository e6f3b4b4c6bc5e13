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
) -> None:
    """List the templates of what people read in Slack; `--out` writes Keyturn's own.

    Change those that you want otherwise, delete the others, and name the folder as `templates` in
    `[slack]`. Of `words/*.j2` a file may hold only the sentences of your own. Each is tried on
    every message before it is used; one that breaks, or whose buttons would do anything else, is
    left out, and Keyturn's own is used.
    """
    from bot.config.templates import ours

    if out is None:
        _list(ours())
    else:
        _write(ours(), out)


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
