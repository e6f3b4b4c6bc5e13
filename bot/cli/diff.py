"""`keyturn diff`: two stored versions, or two files without any database or settings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.choices import completed, one_of
from bot.cli.naming import app_env, complete_app, end_unknown
from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, end, remark, say_json, screen
from bot.errors import UnknownApp, UnknownVersion

if TYPE_CHECKING:
    from bot.domain.diff.changes import ChangeList
    from store.document import Document
    from store.records import AppEnv

STDIN = "-"
_MOST_BYTES = 16 * 2**20  # what is longer is refused by its reader with the limit
_FORMS = ("text", "json", "html", "svg", "png")


@dataclass(frozen=True)
class _Side:
    """One of the two: what people call it, and what stands in it."""

    name: str
    document: Document | None
    notices: tuple[str, ...] = ()
    json: bytes = b""  # in place of a document: a configuration as the API answers it


def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="APP@ENV|OLD.yml",
            help="An app, or the older file (`-`: standard input).",
            autocompletion=complete_app,
        ),
    ],
    new: Annotated[
        str, typer.Argument(metavar="A|NEW.yml", help="The older version, or the newer file.")
    ],
    newer: Annotated[
        str | None,
        typer.Argument(metavar="B", help="The newer version: a number, a tag or `live`."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            parser=one_of(*_FORMS),
            metavar="|".join(_FORMS),
            autocompletion=completed(*_FORMS),
            help="How to write it; html: a page, svg, png: a drawing.",
        ),
    ] = "text",
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 when there is a difference.")
    ] = False,
    layout: Annotated[
        bool, typer.Option("--layout", help="Tell also what is only drawn otherwise.")
    ] = False,
) -> None:
    """Show what differs in meaning: of two versions, or two files.

    Layout and other noise is left out, and so are secrets. Files are exports (DSL), or JSON as
    the target's API answers it. `keyturn diff support-triage@prod 5 live`, `keyturn diff old.yml
    new.yml`.
    """
    before, after = _two(old, new, newer)
    changes = _changes(before, after, layout=layout or form == "html")  # apart, on a page
    if form == "json":
        _write_json(before, after, changes)
    elif form != "text":
        _write_page(before, after, changes, form)
    else:
        for side in (before, after):
            for notice in side.notices:
                remark(f"{side.name}: {notice}")
        _write_text(changes, f"{before.name} → {after.name}")
    raise SystemExit(NO if exit_code and _differ(changes, layout=layout) else DONE)


def _differ(changes: ChangeList, *, layout: bool) -> bool:
    return any(layout or change.kind != "layout" for change in changes.changes)


# -- Where they come from -----------------------------------------------------------------------


def _two(old: str, new: str, newer: str | None) -> tuple[_Side, _Side]:
    if newer is None:
        return _files(old, new)
    if "@" not in old and Path(old).exists():
        end(WRONG_USE, f"two files have no third word; leave out {newer!r}")
    return _stored(app_env(old), new, newer)


def _files(old: str, new: str) -> tuple[_Side, _Side]:
    if old == new == STDIN:
        end(WRONG_USE, "standard input can be read once; name a file for the other side")
    if "@" in old and not Path(old).exists():
        end(WRONG_USE, f"two versions are needed: keyturn diff {old} A B")
    return _file(old), _file(new)


def _file(name: str) -> _Side:
    from bot.adapters.dify.dsl_file import NotDsl, read

    try:
        text = _bytes(name)
        if _is_answer(text):
            return _Side(_called(name), None, json=text)
        found = read(text)
    except OSError as error:
        end(WRONG_USE, f"{name} cannot be read: {error.strerror}")
    except NotDsl as error:
        end(WRONG_USE, f"{_called(name)}: {error}")
    return _Side(_called(name), found.document, found.notices)


def _is_answer(text: bytes) -> bool:
    """Whether *text* is JSON with a graph or a model's configuration at its top, so no export."""
    import orjson

    if text.lstrip()[:1] != b"{":
        return False
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False  # the reader of exports says what is wrong, and where
    return "graph" in found or "model_config" in found


def _changes(before: _Side, after: _Side, *, layout: bool) -> ChangeList:
    from bot.domain.diff.changes import compare
    from bot.domain.diff.raw import compare_json
    from store.document import Unreadable

    if before.document is not None and after.document is not None:
        return compare(before.document, after.document, layout=layout)
    if before.document is not None or after.document is not None:
        end(WRONG_USE, "one is an export and the other an answer of the API; give two of a kind")
    try:
        return compare_json(before.json, after.json, layout=layout)
    except Unreadable as error:
        end(WRONG_USE, str(error))


def _bytes(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read(_MOST_BYTES)
    with Path(name).open("rb") as file:
        return file.read(_MOST_BYTES)


def _called(name: str) -> str:
    return "standard input" if name == STDIN else name


def _stored(where: AppEnv, old: str, new: str) -> tuple[_Side, _Side]:
    from bot.cli.database import existing_database

    try:
        return run(_read(existing_database(), where, old, new))
    except (UnknownApp, UnknownVersion) as error:
        end_unknown(error)


async def _read(url: str, where: AppEnv, old: str, new: str) -> tuple[_Side, _Side]:
    from bot.opening import opened
    from bot.services.history import documents, find

    async with opened(url) as store:
        versions = [await find(store, where, asked) for asked in (old, new)]
        found = await documents(store, *versions)
    before, after = (
        _Side(f"{where} {version.number}", document)
        for version, document in zip(versions, found, strict=True)
    )
    return before, after


# -- How they are shown -------------------------------------------------------------------------


def _write_json(before: _Side, after: _Side, changes: ChangeList) -> None:
    """Write what `docs/diff.schema.json` describes."""
    from bot.domain.diff.changes import as_json

    say_json(
        {
            "schema": changes.schema,
            "before": {"name": before.name, "notices": before.notices},
            "after": {"name": after.name, "notices": after.notices},
            "differ": bool(changes.changes),
            "summary": changes.summary(),
            "counts": changes.counts(),
            "digest": changes.digest,
            "changes": [as_json(change) for change in changes.changes],
        }
    )


def _write_page(before: _Side, after: _Side, changes: ChangeList, form: str) -> None:
    """Write one file that loads nothing: the page of the difference, or its drawing alone."""
    from bot import pages
    from bot.domain.diff.page import Side, build

    if before.document is None or after.document is None:
        end(WRONG_USE, f"--format {form} is made of exports or stored versions")
    if form == "png" and sys.stdout.isatty():
        end(WRONG_USE, "a picture is nothing for a terminal; write it into a file: … > diff.png")
    old, new = (Side(Path(side.name).name) for side in (before, after))
    made = build(
        f"{old.name} → {new.name}",
        (old, before.document),
        (new, after.document),
        changes,
        notes=tuple(f"{s.name}: {note}" for s in (before, after) for note in s.notices),
    )
    if form == "html":
        sys.stdout.write(pages.difference(made).html + "\n")
    elif made.picture is None:
        end(NO, "there is no graph to draw")
    elif form == "svg":
        sys.stdout.write(pages.svg(made.picture) + "\n")
    elif (content := pages.png(made.picture)) is not None:
        sys.stdout.buffer.write(content)
    else:
        end(
            NO,
            "no PNG was drawn: no font is installed, or it is out of all proportion; "
            "use --format svg",
        )


def _write_text(changes: ChangeList, title: str) -> None:
    from bot.domain.diff.text import as_text

    text = as_text(changes, title=title)
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    out = screen()
    for number, line in enumerate(text.splitlines()):
        out.print(line, style="bold" if number == 0 else _style(line), soft_wrap=True)


def _style(line: str) -> str:
    styles = {"[": "bold cyan", "-": "red", "+": "green", "…": "dim"}
    return styles.get(line.lstrip(" ")[:1] if line.startswith("  …") else line[:1], "none")
