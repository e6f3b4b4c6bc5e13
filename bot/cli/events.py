"""`keyturn events …`: what other systems are told, followed, compared and sent again."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.numbers import whole
from bot.cli.running import run, stop_on_signals
from bot.cli.telling import NO, WRONG_USE, end, remark, say, say_json, screen
from bot.errors import UnknownApp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.ports.store import Store
    from bot.services.retelling import Retelling, Stream
    from store.records import Announcement, AppEnv, AuditDraft

events = typer.Typer(help="Events for other systems.", no_args_is_help=True, rich_markup_mode=None)
BATCH = 500
LOOK_AGAIN_S = 1.0
EVER = timedelta(days=36_500)
_HASH = re.compile(r"[0-9a-f]{64}")
_App = Annotated[
    str | None,
    typer.Argument(metavar="APP@ENV", help="Of this app alone.", autocompletion=complete_app),
]


@events.command()
def tail(
    app: _App = None,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="One CloudEvent a line, as sinks get it.")
    ] = False,
) -> None:
    """Show the newest events."""
    from bot.cli.database import existing_database
    from bot.config.load import from_process

    where = app_env(app) if app else None
    base = from_process().public_url if as_json else None
    try:
        run(_tail(existing_database(), where, lines, follow=follow, base=base))
    except UnknownApp as error:
        end_unknown(error)


@events.command()
def replay(
    rollback: Annotated[
        int | None,
        typer.Argument(parser=whole(1), metavar="ROLLBACK", help="Its number. Default: --all."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every rollback that there is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Tell rollbacks again by their events alone, and compare that with what is stored.

    Exit 1 when a rollback is another one by its events.
    """
    from bot.cli.database import existing_database

    if (rollback is None) is not every:
        end(WRONG_USE, "say the number of a rollback, or --all")
    told = run(_replay(existing_database(), rollback))
    for one in told:
        _show_retelling(one, as_json=as_json)
    wrong = sum(bool(one.differences) for one in told)
    untold = sum(not one.whole for one in told)
    if untold:
        remark(f"of {untold} of them the first events are not kept, so they were not compared")
    if wrong:
        end(NO, f"{wrong} of {len(told)} rollbacks differ from what their events lead to")


@events.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Look if each app's events are all there, from the first that is kept to the newest."""
    from bot.cli.database import existing_database

    broken = False
    for one in run(_streams(existing_database())):
        broken |= bool(one.gaps)
        missing = list(one.gaps[:20])
        if as_json:
            facts = {"first": one.first, "head": one.head, "kept": one.kept, "missing": missing}
            say_json({"app": str(one.where), **facts})
        else:
            told = f"{one.kept} events, {one.first} to {one.head}" if one.kept else "none is kept"
            say(f"{one.where}: {told}" + (f"; missing: {missing}" if missing else ""))
    if broken:
        end(NO, "events are missing between those that are kept")


@events.command()
def send(
    sink: Annotated[str, typer.Argument(metavar="NAME", help="Of which [events.NAME].")],
    app: Annotated[
        str,
        typer.Argument(metavar="APP@ENV", help="Whose events.", autocompletion=complete_app),
    ],
    after: Annotated[
        int,
        typer.Option(
            "--from", parser=whole(1), metavar="NUMBER", help="The first that is sent again."
        ),
    ],
) -> None:
    """Let a sink get an app's events again, from a number on; the service sends them."""
    from bot.cli.database import existing_database
    from bot.textsafe import one_line

    where = app_env(app)
    stood, sinks = run(_send(existing_database(), sink, where, after - 1))
    if stood is None and sink not in sinks:
        known = f"it knew: {', '.join(sinks)}" if sinks else "it knew none"
        end(NO, f"{one_line(sink, 80)} is no sink that the service has known; {known}")
    if stood is None:
        end(NO, f"{sink} got nothing of {where} yet; `keyturn events verify` lists what has events")
    if after - 1 > stood:
        end(NO, f"{sink} has the events of {where} up to {stood}: --from is {stood + 1} at most")
    say(f"{sink} gets the events of {where} again, from {after} on")


async def _tail(
    url: str, where: AppEnv | None, lines: int, *, follow: bool, base: str | None
) -> None:
    import asyncio

    from bot.opening import opened
    from bot.services.history import known

    stop = stop_on_signals()
    async with opened(url) as store:
        if where is not None:
            await known(store, where)
        async with store.read() as tx:
            newest = await tx.announcements.newest()
        at = max(newest - lines, 0) if where is None else await _back(store, where, lines)
        at = await _show_after(store, at, where, base)
        while follow and not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await stop.wait()
            at = await _show_after(store, at, where, base)


async def _back(store: Store, where: AppEnv, lines: int) -> int:
    """The number after which the newest *lines* events of *where* stand."""
    numbers: list[int] = [0]
    async with store.read() as tx:
        while page := await tx.announcements.after(numbers[-1], limit=BATCH, where=where):
            numbers += [one.number for one in page]
    return numbers[max(len(numbers) - 1 - lines, 0)]


async def _show_after(store: Store, at: int, where: AppEnv | None, base: str | None) -> int:
    """Show every event above *at*; return the last one's number."""
    while True:
        async with store.read() as tx:
            batch = await tx.announcements.after(at, limit=BATCH, where=where)
        if not batch:
            return at
        for one in batch:
            _show(one, base)
        at = batch[-1].number


def _show(one: Announcement, base: str | None) -> None:
    if base is not None:
        from bot.domain.cloudevent import event

        say_json(event(one, base))
        return
    from rich.text import Text

    from bot.textsafe import one_line

    told = one.data if isinstance(one.data, dict) else {}
    facts = " ".join(_facts(told))
    line = Text.assemble(
        (f"{one.at:%Y-%m-%d %H:%M:%S} ", "dim"),
        f"{one_line(str(one.where), 80)} ",
        (f"{one.sequence} ", "dim"),
        (one_line(one.kind, 60), "bold"),
        f" {one_line(one.subject, 80)}",
        (f" {one_line(facts, 300)}", "dim"),
    )
    screen().print(line, soft_wrap=True)


def _facts(told: Mapping[str, object], within: str = "") -> Iterator[str]:
    """What says something, each as `name=value`; all of it is in the JSON."""
    for key, value in told.items():
        name = f"{within}{key}"
        if isinstance(value, dict):
            yield from _facts(value, f"{name}.")
        elif isinstance(value, list):
            for number, one in enumerate(value):
                if isinstance(one, dict):
                    yield from _facts(one, f"{name}[{number}].")
        elif value not in (None, "", False):
            text = str(value)
            yield f"{name}={text[:12] if _HASH.fullmatch(text) else text}"


async def _replay(url: str, rollback: int | None) -> list[Retelling]:
    from bot.opening import opened
    from bot.services.retelling import retell, retell_all
    from store.records import Missing

    async with opened(url) as store:
        if rollback is None:
            return [one async for one in retell_all(store)]
        try:
            return [await retell(store, rollback)]
        except Missing:
            end(WRONG_USE, f"there is no rollback {rollback}")


def _show_retelling(one: Retelling, *, as_json: bool) -> None:
    if as_json:
        facts = {"whole": one.whole, "events": one.events, "differences": [*one.differences]}
        say_json({"rollback": one.rollback_id, **facts})
    elif not one.whole:
        say(f"rollback {one.rollback_id}: its first events are not kept")
    elif one.differences:
        say(f"rollback {one.rollback_id}: its {one.events} events lead elsewhere")
        for difference in one.differences:
            say(f"  {difference}")
    else:
        say(f"rollback {one.rollback_id}: its {one.events} events lead to what is stored")


async def _streams(url: str) -> list[Stream]:
    from bot.opening import opened
    from bot.services.retelling import streams

    async with opened(url) as store:
        return await streams(store)


async def _send(url: str, sink: str, where: AppEnv, sequence: int) -> tuple[int | None, list[str]]:
    """Where the sink stood; if nowhere, None and the sinks that there ever were, by name."""
    from bot.opening import opened

    async with opened(url) as store:
        async with store.write() as tx:
            entry = _entry(sink, where, sequence)
            stood = await tx.sinks.rewind(sink, where, sequence, entry=entry)
        if stood is not None:
            return stood, []
        async with store.read() as tx:
            return None, [one.name for one in await tx.sinks.states(seen_within=EVER)]


def _entry(sink: str, where: AppEnv, sequence: int) -> AuditDraft:
    from bot.services.tagging import OPERATOR
    from store.records import AuditDraft

    return AuditDraft(
        user_id=OPERATOR,
        action="events.send_again",
        resource=f"sink/{sink}",
        status="ok",
        what={"app": str(where), "first": sequence + 1},
        ip_note="the command line",
    )
