"""What a person does in Dify with an exported file: the way out when Slack is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from store.document import Document
    from store.records import Version


def called(version: Version) -> str:
    """*version* as people know it: by its number, or as the draft that was kept."""
    if version.number is not None:
        return f"{version.where} version {version.number}"
    return f"{version.where}, the draft that was kept on {version.recorded_at:%Y-%m-%d %H:%M} UTC"


def steps(version: Version, document: Document, out: Path | None, name: str) -> list[str]:
    """What a person does with the file *out* (None: standard output), line by line.

    With a *name* the file is for a new app.
    """
    from store.document import WORKFLOW_MODES

    file = str(out) if out else "the file"
    if name or document.mode not in WORKFLOW_MODES:
        todo = _as_new_app(file, document, name)
    elif version.number is None:
        todo = _into_the_draft(file, document)
    else:
        todo = _over_the_app(version, file, document)
    return [f"{position}. {line}" for position, line in enumerate(todo, start=1)]


def _over_the_app(version: Version, file: str, document: Document) -> list[str]:
    number = version.number
    return [
        *_import(file, document),
        "Press Publish. Live is what was published last.",
        f"Back in Keyturn, `keyturn snapshot {version.where}` and "
        f"`keyturn diff {version.where} {number} live` show whether it is the same.",
    ]


def _into_the_draft(file: str, document: Document) -> list[str]:
    return [
        *_import(file, document),
        "It is the draft again. Do not publish it: that is for whoever worked on it.",
    ]


def _import(file: str, document: Document) -> list[str]:
    todo = [
        "In Dify, open the app. If its draft holds unpublished work, export it first "
        "(… → Export DSL): the import replaces the draft.",
        f"In the workflow's menu choose Import DSL, take {file}, and confirm.",
        "Look at it. The icon is Dify's usual one now; a version does not hold it.",
    ]
    if secrets := _secrets(document):
        todo.append(
            f"Check the secrets {secrets}: each keeps the value of the draft, if it is there."
        )
    return todo


def _as_new_app(file: str, document: Document, name: str) -> list[str]:
    todo = [f"In Dify's Studio choose Import DSL file and take {file}: it becomes a new app."]
    if not name:
        todo.append("Dify imports nothing over an app of this mode; copy the settings across.")
    if secrets := _secrets(document):
        todo.append(f"Give the secrets {secrets} their values: they are empty.")
    return [*todo, "Press Publish, and send the callers to the new app's key and address."]


def _secrets(document: Document) -> str:
    from bot.textsafe import one_line

    return ", ".join(one_line(secret.name, 80) for secret in document.secrets)
