"""The command line: words in, exit codes out, signals; everything else is done below.

Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration. Imports that take time
stand inside the commands that need them.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar

import typer

from bot.errors import BotError, ConfigurationWrong
from store.records import NotMigrated, StoreError, Unavailable

if TYPE_CHECKING:
    from bot.app import Service
    from bot.config.settings import Settings

DONE, NO, WRONG_USE = 0, 1, 2
_T = TypeVar("_T")
_HELP = "Two keys, one rollback: watch what is published in Dify, and go back together."

_app = typer.Typer(
    name="keyturn",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_audit = typer.Typer(help="The audit chain.", no_args_is_help=True, rich_markup_mode=None)
_app.add_typer(_audit, name="audit")

RoleName = Annotated[
    Literal["all", "web", "worker"],
    typer.Option(help="What this process does; on SQLite only `all`."),
]
DifyRelease = Literal["1.14.2", "1.10.1", "1.7.2"]


def main() -> None:
    """Run the command line; every mistake of the user's is a sentence and an exit code."""
    try:
        _app(prog_name="keyturn")
    except ConfigurationWrong as error:
        count = len(error.problems)
        _end(
            WRONG_USE, f"{count} mistake{'s' * (count > 1)} in the configuration:", *error.problems
        )
    except NotMigrated:
        _end(WRONG_USE, "the database is not at this program's schema; run `keyturn migrate`")
    except Unavailable as error:
        _end(NO, f"the database cannot be used ({error}); check DATABASE_URL and that it runs")
    except (BotError, StoreError) as error:
        _end(NO, f"{type(error).__name__}: {error}")


def _end(code: int, *lines: str) -> NoReturn:
    print(f"keyturn: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
    raise SystemExit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"keyturn {version('keyturn')}")
        raise typer.Exit


@_app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


@_app.command()
def serve(
    role: RoleName = "all",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port. Default: $PORT or 3000.")
    ] = None,
) -> None:
    """Run the service until it is told to stop."""
    from bot import log
    from bot.config.load import from_process

    settings = from_process(serving=True)
    if settings.on_sqlite and role != "all":
        _end(WRONG_USE, "several processes need PostgreSQL: set DATABASE_URL, or use --role all")
    log.configure()
    port = settings.port if port is None else port
    try:
        _run(_serve(settings, role, host, port))
    except OSError as error:
        _explain_address(error, port)


@_app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot import log
    from bot.app import migrate_database
    from bot.config.load import database_url

    log.configure(level="WARNING")
    migrate_database(database_url().get_secret_value())
    print("the database is at the newest schema")


@_app.command()
def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")
    ] = 3000,
    headless: Annotated[
        bool, typer.Option("--headless", help="Play it without a browser and report JSON.")
    ] = False,
    dify: Annotated[
        DifyRelease, typer.Option(help="Release that the local Dify behaves like.")
    ] = "1.14.2",
    socket: Annotated[
        bool, typer.Option("--socket", help="Let Slack send by Socket Mode instead of HTTP.")
    ] = False,
) -> None:
    """Try it here: an alert, a card, two people, a rollback."""
    from bot import log
    from bot.demo.run import run

    log.configure(level="ERROR")
    try:
        code = run(port=port, headless=headless, socket=socket, dify_version=dify, say=_say)
    except OSError as error:
        _explain_address(error, port)
    except TimeoutError:
        _end(NO, "the demo did not get to its end in time")
    raise SystemExit(code)


@_audit.command("verify")
def verify() -> None:
    """Check the audit chain from its first entry to its head."""
    from bot import log
    from bot.app import verify_audit
    from bot.config.load import database_url

    log.configure(level="WARNING")
    url = database_url().get_secret_value()
    _demand_database(url)
    found = _run(verify_audit(url))
    if not found.ok:
        _end(NO, f"the audit chain is broken at entry {found.broken_at}: {found.why}")
    print(f"the audit chain is whole: {found.entries} entries, head {found.head}")


def _say(line: str) -> None:
    print(line, flush=True)


def _demand_database(url: str) -> None:
    """End when an SQLite file is not there: an empty one made on the way would verify nicely."""
    scheme, _, path = url.partition(":///")
    file = path.partition("?")[0]
    if scheme.startswith("sqlite") and file and file != ":memory:" and not Path(file).exists():
        _end(WRONG_USE, f"there is no database {file}; DATABASE_URL names the right one")


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _serve(settings: Settings, role: str, host: str, port: int) -> None:
    from bot.app import Role, build
    from bot.config.load import from_process

    stop, again = _stop_on_signals(), _told_to_reload()
    reread = partial(from_process, serving=True)
    async with build(settings, role=Role(role), reread=reread) as service:
        running = await service.start(host, port)
        reloading = asyncio.create_task(_reload_when_told(service, again))
        await stop.wait()
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        await service.stop(running)


def _told_to_reload() -> asyncio.Event:
    """An event that SIGHUP sets; one that comes before the service stands waits for it."""
    again = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.set)
    return again


async def _reload_when_told(service: Service, again: asyncio.Event) -> None:
    """Reload for each signal; several that come meanwhile are one."""
    while True:
        await again.wait()
        again.clear()
        await service.reload()


def _stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        stop.set()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, on_signal)
    return stop


def _explain_address(error: OSError, port: int) -> NoReturn:
    if error.errno == errno.EADDRINUSE:
        _end(WRONG_USE, f"port {port} is taken; choose another one with --port")
    if error.errno == errno.EACCES:
        _end(WRONG_USE, f"port {port} may not be opened by this user; choose one above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        _end(WRONG_USE, "the address given as --host is not one of this machine")
    raise error
