"""`keyturn webhook`: what would be understood of a body, and what could not be filed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.running import run
from bot.cli.telling import NO, WRONG_USE, end, say, say_json

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from store.records import Delivery, Firing, SetAside

MOST = 100  # in one look, or in one transaction
webhook = typer.Typer(
    name="webhook",
    help="Try what a sender posts; list what could not be filed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@webhook.command("try")
def try_it(
    name: Annotated[
        str,
        typer.Argument(help="The NAME of [webhook.NAME], or `alertmanager`, or `grafana`."),
    ],
    file: Annotated[
        Path, typer.Argument(help="A recorded body, as it was posted; - reads standard input.")
    ],
) -> None:
    """Say what would be understood of a recorded body; nothing is stored.

    Exit code 1 if it would be refused, or if none of its alerts names a configured app.
    """
    from bot.config.load import from_process
    from bot.errors import BadInput, TooLarge

    settings = from_process()
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        end(WRONG_USE, f"{file} cannot be read ({error.strerror})")
    try:
        delivery = _read(name, body, settings)
    except BadInput as error:
        end(NO, f"it would be answered 400: {error}")
    except TooLarge as error:
        end(NO, f"it would be answered 413: {error}")
    for firing in delivery.firings:
        say(_line(firing))
    if delivery.unreadable:
        say(f"{delivery.unreadable} more cannot be read, and would be left out")
    if not delivery.firings and not delivery.unreadable:
        end(NO, "there is no alert in it")
    if not any(firing.where for firing in delivery.firings):
        labels = "`labels` of the mapping" if name in settings.webhooks else "the labels above"
        end(NO, f"no alert of it names a configured app; look at {labels}, and at `match`")


@webhook.command("aside")
def aside(
    again: Annotated[
        bool, typer.Option("--again", help="Let all of them be filed again, as after an upgrade.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List webhooks that were acknowledged and could not be filed, with the reason.

    Their bytes are kept as long as `retention.alerts` says. Exit code 1 if there are any.
    """
    from bot import log
    from bot.cli.database import existing_database

    log.configure(level="ERROR")
    found, back = run(_aside(existing_database(), again=again))
    if as_json:
        told = [{**asdict(one), "received_at": one.received_at.isoformat()} for one in found]
        say_json({"set_aside": told, "put_back": back})
    elif not found:
        say("every webhook that was acknowledged could be filed")
    else:
        for one in found:
            alerts = "1 alert" if one.alerts == 1 else f"{one.alerts} alerts"
            say(f"{one.id}  {one.received_at:%Y-%m-%d %H:%M:%S} UTC  {alerts}  {one.why}")
        if len(found) == MOST:
            say(f"and perhaps more than these {MOST}")
        if again:
            say(f"{back} will be filed again by the service")
    if found and not again:
        raise typer.Exit(NO)


async def _aside(url: str, *, again: bool) -> tuple[Sequence[SetAside], int]:
    """The first of those, and how many wait again."""
    from bot.opening import opened

    async with opened(url) as store:
        async with store.read() as tx:
            found = await tx.arrivals.aside(limit=MOST)
        back, some = 0, MOST if again else 0
        while some == MOST:  # in parts: a service that runs writes meanwhile
            async with store.write() as tx:
                some = await tx.arrivals.put_back(at_most=MOST)
            back += some
        return found, back


def _read(name: str, body: bytes, settings: Settings) -> Delivery:
    from bot.adapters.alertmanager import grafana, wire
    from bot.adapters.webhooks import form

    labels, known = settings.alerts.labels, settings.places
    versions = {wire.SOURCE: wire.VERSION, grafana.SOURCE: grafana.VERSION}
    if name in versions:
        version = versions[name]
        return wire.parse(body, labels=labels, known=known, source=name, version=version)
    sender = settings.webhooks.get(name)
    if sender is None:
        named = ", ".join([*settings.webhooks, *versions])
        end(WRONG_USE, f"there is no [webhook.{name}]; there are: {named}")
    return form.read(body, sender.form, labels=labels, known=known)


def _line(firing: Firing) -> str:
    labels = " ".join(f"{name}={value!r}" for name, value in sorted(firing.labels.items()))
    where = firing.where or "no configured app"
    ended = f" to {firing.ends_at:%Y-%m-%d %H:%M:%S}" if firing.ends_at else ""
    began = f"{firing.starts_at:%Y-%m-%d %H:%M:%S}{ended} UTC"
    return f"{firing.status.value}  {where}  {began}  {firing.fingerprint}  {labels}"
