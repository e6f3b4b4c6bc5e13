"""`keyturn webhook try`: what would be understood of a body that a sender posted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.telling import NO, WRONG_USE, end, say

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from store.records import Delivery, Firing

webhook = typer.Typer(
    name="webhook",
    help="Look at the mappings of senders, [webhook.NAME].",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@webhook.command("try")
def try_it(
    name: Annotated[str, typer.Argument(help="The NAME of [webhook.NAME], or `grafana`.")],
    file: Annotated[Path, typer.Argument(help="A recorded body, as it was posted.")],
) -> None:
    """Say what would be understood of a recorded body; nothing is stored.

    Exit code 1 if it would be refused, or if none of its alerts names a configured app.
    """
    from bot.config.load import from_process
    from bot.errors import BadInput, TooLarge

    settings = from_process()
    try:
        body = file.read_bytes()
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
    if not any(firing.where for firing in delivery.firings):
        end(NO, "no alert of it names a configured app; look at `labels` of the mapping")


def _read(name: str, body: bytes, settings: Settings) -> Delivery:
    from bot.adapters.alertmanager import grafana, wire
    from bot.adapters.webhooks import form

    labels, known = settings.alerts.labels, settings.places
    if name == grafana.SOURCE:
        source, version = grafana.SOURCE, grafana.VERSION
        return wire.parse(body, labels=labels, known=known, source=source, version=version)
    sender = settings.webhooks.get(name)
    if sender is None:
        named = ", ".join([*settings.webhooks, grafana.SOURCE])
        end(WRONG_USE, f"there is no [webhook.{name}]; there are: {named}")
    return form.read(body, sender.form, labels=labels, known=known)


def _line(firing: Firing) -> str:
    labels = " ".join(f"{name}={value!r}" for name, value in sorted(firing.labels.items()))
    where = firing.where or "no configured app"
    ended = f" to {firing.ends_at:%Y-%m-%d %H:%M:%S}" if firing.ends_at else ""
    began = f"{firing.starts_at:%Y-%m-%d %H:%M:%S}{ended} UTC"
    return f"{firing.status.value}  {where}  {began}  {firing.fingerprint}  {labels}"
