"""Which apps of a workspace are watched without a table of their own, and under which names.

An app's history is kept under its name here, so a name once given stays with the app whatever
people call it later, and is never given to another one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from store.records import AppEnv, IncludedApp

_LONGEST = 64
_SUFFIX = 8  # characters of the target's id that tell two apps of one name apart
_NOT_IN_NAMES = re.compile(r"[\s@`<>&|,\"'/\\-]+")


@dataclass(frozen=True)
class Include:
    """The rule of one workspace: the apps with one of *tags*, or all of them, live in *env*."""

    env: str
    tags: frozenset[str] = frozenset()
    everything: bool = False
    channel: str = ""

    def wants(self, app: Listed) -> bool:
        return self.everything or bool(self.tags & set(app.tags))


@dataclass(frozen=True)
class Listed:
    """An app as its workspace lists it; `live_id` is "" when nothing is published."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    live_id: str = ""


@dataclass(frozen=True)
class Known:
    """What names cannot be given away, and what is watched already.

    `tables` are the (target, id) of apps with a table, `names` what they are called. `remembered`
    is every app that was ever included. `histories` holds the live id of each stored history.
    """

    tables: Collection[tuple[str, str]] = ()
    names: Collection[AppEnv] = ()
    remembered: Sequence[IncludedApp] = ()
    histories: Mapping[AppEnv, str] | None = None


@dataclass(frozen=True)
class Taken:
    """What a listing changes: apps that are watched from now on, and those that are no more.

    `renamed` are only called otherwise there. `strange` says that not one of several watched
    apps was listed: it looks like another workspace, and nothing was changed.
    """

    new: tuple[IncludedApp, ...] = ()
    gone: tuple[IncludedApp, ...] = ()
    renamed: tuple[IncludedApp, ...] = ()
    strange: bool = False

    @property
    def changed(self) -> tuple[IncludedApp, ...]:
        return self.new + self.gone + self.renamed


def take_over(target: str, listed: Sequence[Listed], rule: Include, known: Known) -> Taken:
    """Compare a complete list of the apps of *target* with what is known.

    Apps with a table of their own are left to it.
    """
    mine = {
        app.external_id: app
        for app in known.remembered
        if app.target == target and app.where.env == rule.env
    }
    watched = [app for app in mine.values() if not app.gone]
    there = {app.id for app in listed}
    if len(watched) > 1 and not any(app.external_id in there for app in watched):
        return Taken(strange=True)
    wanted = {
        app.id: app for app in listed if rule.wants(app) and (target, app.id) not in known.tables
    }
    back, called = [], []
    for app in mine.values():
        if app.external_id in wanted:
            now = replace(app, name=wanted[app.external_id].name, gone=False)
            if app.gone:
                back.append(now)
            elif now != app:
                called.append(now)
    fresh = [app for app in wanted.values() if app.id not in mine]
    return Taken(
        new=(*back, *_named(target, fresh, rule.env, known)),
        gone=tuple(replace(a, gone=True) for a in watched if a.external_id not in wanted),
        renamed=tuple(called),
    )


def _named(target: str, fresh: Iterable[Listed], env: str, known: Known) -> Iterable[IncludedApp]:
    """Give each app a name that nothing else has or ever had; in the order of their ids."""
    taken = {*known.names, *(app.where for app in known.remembered)}
    histories = known.histories or {}
    for app in sorted(fresh, key=lambda app: app.id):
        where = AppEnv(slug(app.name), env)
        if where in taken or histories.get(where, app.live_id) != app.live_id:
            where = AppEnv(_with_suffix(slug(app.name), app.id, _SUFFIX), env)
        if where in taken:
            where = AppEnv(_with_suffix(slug(app.name), app.id, _LONGEST // 2), env)
        if where in taken:  # ids that say nothing once they are made fit for a name
            digest = hashlib.sha256(app.id.encode(errors="backslashreplace")).hexdigest()
            where = AppEnv(_with_suffix(slug(app.name), digest, _LONGEST // 2), env)
        taken.add(where)
        yield IncludedApp(where, target, app.id, app.name)


def slug(name: str) -> str:
    """A name that can stand in a command: small letters of any language, `-` for the rest."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = "".join(c if c.isprintable() else "-" for c in text)
    return _NOT_IN_NAMES.sub("-", text)[:_LONGEST].strip("-.") or "app"


def _with_suffix(text: str, app_id: str, length: int) -> str:
    tail = slug(app_id)[:length].strip("-.")
    return f"{text[: _LONGEST - len(tail) - 1].rstrip('-.')}-{tail}"
