"""`keyturn templates`: which ones there are, which are the team's, and ours to begin from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, end, remark, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from bot.blockkit import Problem
    from bot.config.settings import Settings

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
    ask_slack: Annotated[
        bool,
        typer.Option("--ask-slack", help="Show every message, with yours, to Slack's own check."),
    ] = False,
) -> None:
    """List the templates of what people read in Slack.

    `--out` writes Keyturn's own. Change those that you want otherwise, delete the others, and
    name the folder as `templates` in `[slack]`. Of `words/*.j2` a file may hold only the
    sentences of your own. Each is tried on every message before it is used; one that breaks, or
    whose buttons would do anything else, is left out, and Keyturn's own is used. `--preview`
    shows them all. `--ask-slack` has Slack itself say what it would refuse of them
    (`blocks.validate`); nothing is posted, and it ends with 1 where there is anything.
    """
    from bot.config.templates import ours

    if out is not None:
        _write(ours(), out)
    if preview is not None:
        _preview(preview)
    if ask_slack:
        _ask_slack()
    elif out is None and preview is None:
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


def _ask_slack() -> None:
    from bot.config.load import from_process
    from bot.errors import UpstreamDown, UpstreamRefused

    settings = from_process()
    token = settings.slack.bot_token
    if token is None:
        end(WRONG_USE, "Slack cannot be asked without SLACK_BOT_TOKEN")
    try:
        found = run(_asked(settings, token))
    except (UpstreamDown, UpstreamRefused) as error:
        end(NO, f"Slack did not say ({error})")
    for name, problems in found.items():
        for problem in problems:
            say(f"{name}  {problem}")
    wrong = sum(map(bool, found.values()))
    remark(f"Slack would refuse {wrong or 'none'} of {len(found)}")
    raise SystemExit(NO if wrong else DONE)


async def _asked(settings: Settings, token: SecretStr) -> dict[str, list[Problem]]:
    from bot.checkup.blocks import problems
    from bot.samples.drawn import sent
    from bot.voice import Voice, speaking

    slack, found = settings.slack, {}
    with speaking(Voice(slack.templates, slack.language)):
        drawn = list(sent())
    asked = problems(drawn, token=token.get_secret_value(), base_url=slack.api_url)
    with progress("asking Slack", len(drawn)) as advance:
        async for name, said in asked:
            found[name] = said
            advance(len(found), name)
    return found
