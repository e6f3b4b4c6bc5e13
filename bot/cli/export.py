"""`keyturn export`: a stored version as a file that Dify imports, and how to put it live by hand.

The way out when Slack is down: it needs the database alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.running import run
from bot.cli.telling import WRONG_USE, end, remark
from bot.errors import UnknownApp, UnknownVersion

if TYPE_CHECKING:
    from store.document import Document
    from store.records import AppEnv, Version

_PRIVATE = 0o600


def export(
    app: Annotated[
        str, typer.Argument(metavar="APP@ENV", help="Of which app.", autocompletion=complete_app)
    ],
    number: Annotated[
        str, typer.Argument(metavar="[N]", help="The version's number.", show_default=True)
    ] = "live",
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
    """Write a stored version as DSL without secrets; the steps to put it live go to stderr."""
    from bot.adapters.dify.dsl_write import VERSION, to_dsl
    from bot.cli.database import existing_database

    where = app_env(app)
    try:
        version, document = run(_read(existing_database(), where, number))
    except (UnknownApp, UnknownVersion) as error:
        end_unknown(error)
    text = to_dsl(document, name=name, version=dsl_version or VERSION)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(out, text)
    remark(
        f"{version.where} version {version.number}, by hand:", *_steps(version, document, out, name)
    )
    if found := _looks_secret(document):
        remark(f"{found} in it look like credentials; keep the file to yourself")


async def _read(url: str, where: AppEnv, asked: str) -> tuple[Version, Document]:
    from bot.opening import opened
    from bot.services.history import documents, find

    async with opened(url) as store:
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


def _steps(version: Version, document: Document, out: Path | None, name: str) -> list[str]:
    """What a person does with the file, line by line."""
    from store.document import WORKFLOW_MODES

    file = str(out) if out else "the file"
    if name or document.mode not in WORKFLOW_MODES:
        todo = _as_new_app(file, document, name)
    else:
        todo = _over_the_app(version, file, document)
    return [f"{position}. {line}" for position, line in enumerate(todo, start=1)]


def _over_the_app(version: Version, file: str, document: Document) -> list[str]:
    secrets = ", ".join(secret.name for secret in document.secrets)
    todo = [
        "In Dify, open the app. If its draft holds unpublished work, export it first "
        "(… → Export DSL): the import replaces the draft.",
        f"In the workflow's menu choose Import DSL, take {file}, and confirm.",
        "Look at it. The icon is Dify's usual one now; a version does not hold it.",
    ]
    if secrets:
        todo.append(
            f"Check the secrets {secrets}: each keeps the value of the draft, if it is there."
        )
    number = version.number
    return [
        *todo,
        "Press Publish. Live is what was published last.",
        f"Back in Keyturn, `keyturn snapshot {version.where}` and "
        f"`keyturn diff {version.where} {number} live` show whether it is the same.",
    ]


def _as_new_app(file: str, document: Document, name: str) -> list[str]:
    secrets = ", ".join(secret.name for secret in document.secrets)
    todo = [f"In Dify's Studio choose Import DSL file and take {file}: it becomes a new app."]
    if not name:
        todo.append("Dify imports nothing over an app of this mode; copy the settings across.")
    if secrets:
        todo.append(f"Give the secrets {secrets} their values: they are empty.")
    return [*todo, "Press Publish, and send the callers to the new app's key and address."]


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
