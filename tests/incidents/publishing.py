"""Versions: what people publish, and what a published content carries over from the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np


class Act(StrEnum):
    """What somebody does in the console."""

    EDIT = "edit"
    LAYOUT = "layout"
    PROMOTE = "promote"  # what is live in staging goes to prod as it is
    GO_BACK = "go back"  # the content before the one that is live
    REPUBLISH = "republish"  # the newest content that was gone back from


LAYOUT_ONLY = ("layout only",)
KINDS = {  # share of edits that touch it; counted over real histories of workflow files
    "prompt": 61, "features": 51, "model": 43, "edges": 42, "nodes added": 35,
    "nodes removed": 22, "conversation_variables": 20, "tool": 17, "environment_variables": 16,
    "answer": 16, "code": 15, "conditions": 14, "http": 6,
}  # fmt: skip
_NAMES = tuple(KINDS)
_SHARES = np.array([KINDS[name] for name in _NAMES]) / sum(KINDS.values())


@dataclass(frozen=True)
class Event:
    """An act on a deployment at a second from the start (before it: negative)."""

    at_s: float
    key: str
    act: Act
    hash: str
    kinds: tuple[str, ...] = ()
    adds: str | None = None  # the fault that comes in with it
    mends: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Version:
    """A published version; *content* names it, *faults* are what is wrong in it."""

    key: str
    number: int
    at_s: float
    how: str
    restored_from: int | None
    content: str
    kinds: tuple[str, ...]
    faults: frozenset[str]


def draw_event(
    dice: np.random.Generator,
    at_s: float,
    key: str,
    act: Act = Act.EDIT,
    *,
    adds: str | None = None,
    mends: Iterable[str] = (),
) -> Event:
    """Return an event with a content of its own and, for an edit, 1 to 4 kinds of change."""
    kinds: tuple[str, ...] = ()
    if act is Act.EDIT:
        many = min(1 + int(dice.poisson(0.9)), 4)
        kinds = tuple(str(name) for name in dice.choice(_NAMES, many, replace=False, p=_SHARES))
    if act is Act.LAYOUT:
        kinds = LAYOUT_ONLY
    return Event(at_s, key, act, dice.bytes(8).hex(), kinds, adds, frozenset(mends))


@dataclass
class _Desk:
    """One deployment's versions as they come; *bad* are contents that were gone back from."""

    versions: list[Version] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """All versions of all deployments."""

    versions: Mapping[str, Sequence[Version]]
    bad: Mapping[str, frozenset[str]]

    def live(self, key: str, at_s: float) -> Version | None:
        past = [version for version in self.versions.get(key, ()) if version.at_s <= at_s]
        return past[-1] if past else None

    def all(self) -> list[Version]:
        return sorted(
            (version for each in self.versions.values() for version in each),
            key=lambda version: (version.at_s, version.key),
        )


def play(events: Iterable[Event]) -> Timeline:
    """Let everything happen in order; an act that is not possible then does not happen."""
    desks: dict[str, _Desk] = {}
    for event in sorted(events, key=lambda event: (event.at_s, event.key)):
        desk = desks.setdefault(event.key, _Desk())
        version = _published(event, desk, desks)
        if version is not None:
            desk.versions.append(version)
    return Timeline(
        {key: tuple(desk.versions) for key, desk in desks.items()},
        {key: frozenset(desk.bad) for key, desk in desks.items()},
    )


def _published(event: Event, desk: _Desk, desks: Mapping[str, _Desk]) -> Version | None:
    if event.act is Act.PROMOTE:
        return _promoted(event, desk, desks)
    if event.act is Act.GO_BACK:
        return _gone_back(event, desk)
    if event.act is Act.REPUBLISH:
        return _republished(event, desk)
    faults = desk.versions[-1].faults if desk.versions else frozenset()
    faults = (faults | {event.adds}) if event.adds else faults
    return _next(event, desk, "publish", None, event.hash, faults - event.mends)


def _next(
    event: Event,
    desk: _Desk,
    how: str,
    restored: Version | None,
    content: str,
    faults: frozenset[str],
) -> Version:
    number = restored.number if restored else None
    kinds = event.kinds if restored is None else ()
    return Version(
        event.key, len(desk.versions) + 1, event.at_s, how, number, content, kinds, faults
    )


def _promoted(event: Event, desk: _Desk, desks: Mapping[str, _Desk]) -> Version | None:
    staging = desks.get(event.key.removesuffix("/prod") + "/staging", _Desk()).versions
    if not staging or (desk.versions and desk.versions[-1].content == staging[-1].content):
        return None
    kinds = staging[-1].kinds or ("prompt",)
    version = _next(event, desk, "publish", None, staging[-1].content, staging[-1].faults)
    return Version(**{**vars(version), "kinds": kinds})


def _gone_back(event: Event, desk: _Desk) -> Version | None:
    """Go back to the newest other content, without what is to be mended."""
    if not desk.versions:
        return None
    live = desk.versions[-1]
    for earlier in reversed(desk.versions[:-1]):
        if earlier.content == live.content or earlier.content in desk.bad:
            continue
        if earlier.faults & event.mends:
            continue
        desk.bad.append(live.content)
        return _next(event, desk, "rollback", earlier, earlier.content, earlier.faults)
    return None


def _republished(event: Event, desk: _Desk) -> Version | None:
    if not desk.bad or desk.versions[-1].content == desk.bad[-1]:
        return None
    content = desk.bad[-1]
    earlier = next(version for version in reversed(desk.versions) if version.content == content)
    return _next(event, desk, "republish", earlier, content, earlier.faults)
