"""`keyturn check`: everything that could be wrong before it is needed, each with its mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.running import run
from bot.cli.telling import DONE, NO, say, say_json, screen

if TYPE_CHECKING:
    from bot.checkup.finding import Finding

_WIDTH = 24  # of the names; what is said of a longer one stands below it
_STYLES = {"ok": "green", "note": "yellow", "failed": "bold red"}


def check(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check the settings and every system that they name.

    Database, Slack, Dify, Alertmanager, Prometheus, sinks of events, traces; nothing is changed.
    Each line is ok, or says what is wrong and what to do; ends with 1 if anything is wrong.
    """
    from bot import log

    log.configure(level="CRITICAL")  # what is wrong stands in the lines
    found = run(_look(show=not as_json))
    wrong = sum(finding.verdict == "failed" for finding in found)
    if as_json:
        checks = [
            {"what": f.what, "verdict": f.verdict.value, "said": f.said, "mend": f.mend}
            for f in found
        ]
        say_json({"ok": not wrong, "failed": wrong, "checks": checks})
    elif wrong:
        needs = "needs" if wrong == 1 else "need"
        screen().print(f"{wrong} of {len(found)} {needs} a hand", style="bold red")
    else:
        screen().print(f"everything is well: {len(found)} looked at", style="green")
    raise SystemExit(NO if wrong else DONE)


async def _look(*, show: bool) -> list[Finding]:
    from bot.checkup.everything import findings

    found = []
    async for finding in findings():
        found.append(finding)
        if show:
            _show(finding)
    return found


def _show(finding: Finding) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from bot.textsafe import one_line

    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=6, no_wrap=True)
    line.add_column(min_width=_WIDTH, overflow="fold")
    line.add_column(overflow="fold")
    verdict = finding.verdict.value
    said = Text(one_line(finding.said, 600))
    if finding.mend:
        said.append(f"\n→ {one_line(finding.mend, 600)}", style="bold")
    what = one_line(finding.what, 120)
    head = Text(verdict, style=_STYLES[verdict])
    if fits := len(what) <= _WIDTH:
        line.add_row(head, what, said)
    else:
        line.add_row("", "", said)
    out = screen()
    with out.capture() as told:
        if not fits:
            out.print(Text.assemble(head, " " * (8 - len(verdict)), what), soft_wrap=True)
        out.print(Padding(line, 0, expand=False))
    say("\n".join(row.rstrip() for row in told.get().splitlines()))
