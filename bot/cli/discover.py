"""`keyturn discover`: the apps of a Dify workspace as tables for keyturn.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.naming import complete_workspace
from bot.cli.running import run
from bot.cli.telling import DONE, NO, WRONG_USE, did_you_mean, end, remark, say, say_json
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.ports.target import LiveRef
    from store.records import AppEnv

_NO_NAME = re.compile(r"[^\w.-]+")
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST = 48
_OPT_IN = "# rolls_back_config = true   # let two keys write its configuration: live at once"


@dataclass(frozen=True)
class _Found:
    """An app of a workspace, with the name that it has or would get here."""

    workspace: str
    ref: LiveRef
    where: AppEnv
    configured: bool
    table_there: bool = False  # the app has a table already, for another environment

    @property
    def rolled_back(self) -> bool:
        from store.document import WORKFLOW_MODES

        return self.ref.mode in WORKFLOW_MODES

    @property
    def compared(self) -> bool:
        """Without a workflow: watched all the same, and rolled back by who opts in."""
        from bot.adapters.dify.model_config import MODES

        return self.ref.mode in MODES


def discover(
    dify: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Of [dify.NAME]. Default: every workspace.",
            autocompletion=complete_workspace,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is configured already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List a workspace's apps as [app.…] tables for keyturn.toml."""
    from bot import log
    from bot.config.load import from_process

    log.configure(level="ERROR")
    settings = from_process()
    wanted = _workspaces(settings, dify)
    failed = []
    found: list[_Found] = []
    for name in wanted:
        try:
            refs = run(_refs(settings, name))
        except BotError as error:
            failed.append(f"dify.{name} was not read: {error}")
            continue
        found += _named(settings, name, refs, taken={one.where for one in found})
    shown = [one for one in found if everything or not one.configured]
    if as_json:
        say_json([_as_json(one) for one in shown])
    else:
        _write(shown)
        if hidden := len(found) - len(shown):
            remark(f"{hidden} configured already are left out; --all shows them")
    for sentence in failed:
        remark(f"{sentence}; `keyturn check` says what to do")
    raise SystemExit(NO if failed else DONE)


def _workspaces(settings: Settings, asked: str | None) -> list[str]:
    if not settings.dify:
        sentence = "keyturn.toml names no Dify; add a table [dify.NAME] with url, email and"
        end(WRONG_USE, f"{sentence} password_env")
    if asked is None:
        return list(settings.dify)
    name = asked.removeprefix("dify.")
    if name not in settings.dify:
        end(WRONG_USE, f"there is no [dify.{name}].{did_you_mean(name, settings.dify)}")
    return [name]


async def _refs(settings: Settings, name: str) -> list[LiveRef]:
    from bot.opening import dify_target

    target = dify_target(name, settings.dify[name])
    try:
        return [ref async for ref in target.list_live()]
    finally:
        await target.close()


def _named(
    settings: Settings, workspace: str, refs: list[LiveRef], *, taken: set[AppEnv]
) -> Iterator[_Found]:
    """Give each app a name of its own; the environment is called as the workspace is."""
    there = {
        place.id: place.where
        for place in settings.places.values()
        if place.target == f"dify.{workspace}"
    }
    used = taken | set(settings.places)
    for ref in refs:
        if ref.app_id in there:
            yield _Found(workspace, ref, there[ref.app_id], configured=True)
            continue
        where = _free(key_of(ref.name), workspace, used)
        used.add(where)
        other = any(place.app == where.app for place in settings.places)
        yield _Found(workspace, ref, where, configured=False, table_there=other)


def _free(name: str, env: str, used: set[AppEnv]) -> AppEnv:
    from store.records import AppEnv

    number, where = 1, AppEnv(name, env)
    while where in used:
        number += 1
        where = AppEnv(f"{name}-{number}", env)
    return where


def key_of(name: str) -> str:
    """*name* as an app is called here: letters and digits of any language, the rest dashes."""
    import unicodedata

    text = unicodedata.normalize("NFKC", name).lower()
    printable = "".join(char if char.isprintable() else "-" for char in text)
    key = _NO_NAME.sub("-", printable).strip("-.")[:_LONGEST].rstrip("-.")
    return re.sub("-{2,}", "-", key) or "app"


def _write(found: list[_Found]) -> None:
    for one in found:
        say("\n".join(table_of(one)) + "\n")


def table_of(one: _Found) -> list[str]:
    """The lines for keyturn.toml; behind `#` what cannot stand there as it is."""
    from bot.textsafe import one_line

    live = f"live version {one.ref.live_id}" if one.ref.live_id else "nothing published yet"
    said = f"# {one_line(one.ref.name, 80)}: {one.ref.mode}, {live}"
    import json

    place = f'{{ target = "dify.{one.workspace}", id = {json.dumps(one.ref.app_id)} }}'
    lines = [f"[app.{_key(one.where.app)}]", f"environments.{_key(one.where.env)} = {place}"]
    if one.configured:
        return [f"{said}; configured as {one.where}", *(f"# {line}" for line in lines)]
    if not one.rolled_back and not one.compared:
        return [f"{said}; cannot be rolled back", *(f"# {line}" for line in lines)]
    if one.table_there:
        return [f"{said}; add this line to its table", *(f"# {line}" for line in lines)]
    if one.compared:
        return [f"{said}; compared only, unless you opt in", lines[0], _OPT_IN, lines[1]]
    return [said, *lines]


def _key(name: str) -> str:
    import json

    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _as_json(one: _Found) -> dict[str, object]:
    return {
        "workspace": f"dify.{one.workspace}",
        "id": one.ref.app_id,
        "name": one.ref.name,
        "mode": one.ref.mode,
        "live": one.ref.live_id or None,
        "app": str(one.where),
        "configured": one.configured,
        "can_be_rolled_back": one.rolled_back,
        "can_opt_in": one.compared,
    }
