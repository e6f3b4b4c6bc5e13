"""`keyturn export`: a stored version as a file that Dify imports, and how to put it live by hand.

The way out when Slack is down: it needs the database alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.by_hand import called, steps
from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.numbers import whole
from bot.cli.running import run
from bot.cli.telling import WRONG_USE, end, remark
from bot.errors import NotStored, UnknownApp, UnknownVersion

if TYPE_CHECKING:
    from store.document import Document
    from store.records import AppEnv, Version

_PRIVATE = 0o600


def export(
    app: Annotated[
        str, typer.Argument(metavar="APP@ENV", help="Of which app.", autocompletion=complete_app)
    ],
    number: Annotated[
        str | None, typer.Argument(metavar="N", help="The version's number. Default: live.")
    ] = None,
    stored: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            parser=whole(1),
            help="Instead of N: what is stored under this number, such as a kept draft.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write here, for you alone to read. Default: stdout.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="For an import as a new app of this name, with empty secrets.")
    ] = "",
    dsl_version: Annotated[
        str | None, typer.Option(help="Default: 0.6.0. A Dify that is older than it asks back.")
    ] = None,
) -> None:
    """Write a version as DSL without secrets.

    The steps to put it live by hand go to stderr. `--stored` is for an editors' draft that a
    rollback kept: its thread in Slack names the number.
    """
    from bot.adapters.dify.dsl_write import VERSION, to_dsl
    from bot.cli.database import existing_database

    where = app_env(app)
    if number is not None and stored is not None:
        end(WRONG_USE, "either N or --stored; a stored row is one version already")
    asked = stored or number or "live"
    try:
        version, document = run(_read(existing_database(), where, asked))
    except (UnknownApp, UnknownVersion) as error:
        end_unknown(error)
    except NotStored as error:
        end(WRONG_USE, str(error))
    text = to_dsl(document, name=name, version=dsl_version or VERSION)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(out, text)
    remark(f"{called(version)}, by hand:", *steps(version, document, out, name))
    if found := _looks_secret(document):
        remark(f"{found} in it look like credentials; keep the file to yourself")


async def _read(url: str, where: AppEnv, asked: str | int) -> tuple[Version, Document]:
    from bot.opening import opened
    from bot.services.history import documents, find, kept

    async with opened(url) as store:
        if isinstance(asked, int):
            version = await kept(store, where, asked)
        else:
            version = await find(store, where, asked)
        (document,) = await documents(store, version)
    return version, document


def _write(out: Path, text: str) -> None:
    """Write *text* where nobody else reads it: prompts and addresses are not for everyone."""
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        end(WRONG_USE, f"{out} cannot be written: {error.strerror}")


def _looks_secret(document: Document) -> str:
    """How many values of the content, beside the secret variables, look like credentials."""
    from bot.domain.redact import redact

    hidden = _hidden(redact(dict(document.meant)))
    return f"{hidden} value{'s' * (hidden != 1)}" if hidden else ""


def _hidden(value: object) -> int:
    from bot.domain.redact import HIDDEN

    if isinstance(value, dict):
        return sum(_hidden(item) for item in value.values())
    if isinstance(value, list):
        return sum(_hidden(item) for item in value)
    return isinstance(value, str) and HIDDEN in value
