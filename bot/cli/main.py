"""The command line: words in, exit codes out; everything else is done below.

Imports that take time stand inside the commands that need them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NoReturn

import typer

from bot.cli import service
from bot.cli.audit import audit
from bot.cli.backup import backup
from bot.cli.check import check
from bot.cli.copy import copy
from bot.cli.diff import diff
from bot.cli.discover import discover
from bot.cli.drafts import drafts
from bot.cli.dry_run import dry_run
from bot.cli.events import events
from bot.cli.evidence import evidence
from bot.cli.export import export
from bot.cli.log import log
from bot.cli.pausing import pause, resume
from bot.cli.prune import prune
from bot.cli.replay import replay
from bot.cli.snapshot import snapshot
from bot.cli.tag import tag
from bot.cli.telling import NO, WRONG_USE, end, say, survive_any_terminal
from bot.cli.templates import templates
from bot.cli.verify import verify
from bot.cli.webhook import webhook
from bot.errors import BotError, ConfigurationWrong

_HELP = "Two keys, one rollback: watch what is published in Dify, and go back together."

_COMMANDS = (
    service.demo,
    service.serve,
    service.migrate,
    check,
    discover,
    snapshot,
    log,
    drafts,
    tag,
    diff,
    dry_run,
    export,
    evidence,
    replay,
    verify,
    prune,
    backup,
    copy,
    templates,
    pause,
    resume,
)
_GROUPS = {"audit": audit, "events": events, "webhook": webhook}


def main() -> None:
    """Run the command line; every mistake of the user's is a sentence and an exit code."""
    survive_any_terminal()
    gc.disable()  # what is made of the commands lives as long as the process
    run = command_line(sys.argv[1:])
    gc.enable()
    try:
        run(prog_name="keyturn")
    except ConfigurationWrong as error:
        count = len(error.problems)
        end(WRONG_USE, f"{count} mistake{'s' * (count > 1)} in the configuration:", *error.problems)
    except BotError as error:
        end(NO, f"{type(error).__name__}: {error}")
    except _of_the_store() as error:
        _end_of_the_store(error)


def command_line(words: Sequence[str] = ()) -> Callable[..., object]:
    """What understands *words*; see `program`."""
    return typer.main.get_command(program(words))


def program(words: Sequence[str] = ()) -> typer.Typer:
    """Every command, as typer makes them; of one that is not in *words* the help alone.

    What typer makes of a command's options takes a millisecond, and `--help` shows none of them.
    Without words it has all: then a shell may ask what can follow, which its environment says.
    """
    made = typer.Typer(
        name="keyturn",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    made.callback()(_root)
    for command in _COMMANDS:
        name = command.__name__.replace("_", "-")
        shown = command if not words or name in words else _without_options
        made.command(name, help=command.__doc__)(shown)
    for name, group in _GROUPS.items():
        known = group if not words or name in words else typer.Typer(help=group.info.help)
        made.add_typer(known, name=name)
    return made


def _without_options() -> None:
    """Stand for a command that is not called."""
    raise AssertionError("called, though its name is not among the words")


def _of_the_store() -> tuple[type[Exception], ...]:
    """The errors of the store; where nothing has used it, as for `--help`, none was raised."""
    if "store.records" not in sys.modules:
        return ()
    from store.records import StoreError

    return (StoreError,)


def _end_of_the_store(error: Exception) -> NoReturn:
    from store.records import Corrupt, NotMigrated, Unavailable

    match error:
        case NotMigrated():
            end(WRONG_USE, "the database is not at this program's schema; run `keyturn migrate`")
        case Unavailable():
            end(NO, f"the database cannot be used ({error}); check DATABASE_URL and that it runs")
        case Corrupt():
            end(
                NO,
                f"the database is damaged or none of ours ({error}); restore a backup, or let "
                "DATABASE_URL name another one",
            )
        case _:
            end(NO, f"{type(error).__name__}: {error}")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"keyturn {version('keyturn')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass
