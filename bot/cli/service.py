"""`keyturn serve`, `migrate` and `demo`."""

from __future__ import annotations

import errno
import gc
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from bot.cli.numbers import whole
from bot.cli.running import run, stop_on_signals
from bot.cli.telling import NO, WRONG_USE, end, say

if TYPE_CHECKING:
    import asyncio

    from bot.app import Service
    from bot.config.settings import Settings

RoleName = Annotated[
    Literal["all", "web", "worker"],
    typer.Option(help="What this process does; on SQLite only `all`."),
]

DifyRelease = Literal["1.14.2", "1.10.1", "1.7.2"]
StoryName = Literal["bad-prompt", "two-changes", "outage", "rejected", "live-changed", "dify-fails"]


def serve(
    role: RoleName = "all",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[
        int | None,
        typer.Option(
            parser=whole(0, 65535), metavar="NUMBER", help="Port. Default: $PORT or 3000."
        ),
    ] = None,
) -> None:
    """Run the service until it is told to stop."""
    from bot import log
    from bot.config.load import from_process

    settings = from_process(serving=True)
    if settings.on_sqlite and role != "all":
        end(WRONG_USE, "several processes need PostgreSQL: set DATABASE_URL, or use --role all")
    log.configure(anchors=sys.stdout)
    port = settings.port if port is None else port
    try:
        run(_serve(settings, role, host, port))
    except OSError as error:
        _explain_address(error, _ports(port, settings.admin_port))


def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot import log
    from bot.config.load import database_url
    from bot.opening import migrate_database

    log.configure(level="WARNING")
    migrate_database(database_url().get_secret_value())
    say("the database is at the newest schema")


def demo(
    port: Annotated[
        int,
        typer.Option(
            parser=whole(0, 65535), metavar="NUMBER", help="Port of the page; 0 takes a free one."
        ),
    ] = 3000,
    headless: Annotated[
        bool, typer.Option("--headless", help="Play it without a browser and report JSON.")
    ] = False,
    dify: Annotated[
        DifyRelease, typer.Option(help="Release that the local Dify behaves like.")
    ] = "1.14.2",
    story: Annotated[
        StoryName, typer.Option(help="The story to play, or with which the page begins.")
    ] = "bad-prompt",
    socket: Annotated[
        bool, typer.Option("--socket", help="Let Slack send by Socket Mode instead of HTTP.")
    ] = False,
) -> None:
    """Try it here: an alert, a card, two people, a rollback."""
    from bot import log
    from bot.demo.run import run as play

    log.configure(level="ERROR")
    try:
        code = play(
            port=port, headless=headless, story=story, socket=socket, dify_version=dify, say=say
        )
    except OSError as error:
        _explain_address(error, f"port {port}")
    except TimeoutError:
        end(NO, "the demo did not get to its end in time")
    raise SystemExit(code)


async def _serve(settings: Settings, role: str, host: str, port: int) -> None:
    import asyncio

    from bot.app import build
    from bot.assembly.process import Role
    from bot.config.load import from_process

    stop, again = stop_on_signals(), _told_to_reload()
    reread = partial(from_process, serving=True)
    async with build(settings, role=Role(role), reread=reread) as service:
        gc.collect()
        gc.freeze()  # what stands now stays: a collection need not look at all of it in a storm
        running = await service.start(host, port)
        reloading = asyncio.create_task(_reload_when_told(service, again))
        await stop.wait()
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        await service.stop(running)


def _told_to_reload() -> asyncio.Event:
    """An event that SIGHUP sets; one that comes before the service stands waits for it."""
    import asyncio

    again = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.set)
    return again


async def _reload_when_told(service: Service, again: asyncio.Event) -> None:
    """Reload for each signal; several that come meanwhile are one."""
    while True:
        await again.wait()
        again.clear()
        await service.reload()


def _ports(port: int, admin_port: int | None) -> str:
    return f"port {port}" if admin_port is None else f"port {port} or KEYTURN_ADMIN_PORT"


def _explain_address(error: OSError, port: str) -> NoReturn:
    if error.errno == errno.EADDRINUSE:
        end(WRONG_USE, f"{port} is taken; choose another one with --port")
    if error.errno == errno.EACCES:
        end(WRONG_USE, f"{port} may not be opened by this user; choose one above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        end(WRONG_USE, "the address given as --host is not one of this machine")
    raise error
