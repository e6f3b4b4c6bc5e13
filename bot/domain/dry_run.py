"""What a dry run found: what a version would need and the environment does not have. Pure.

It is told before anybody approves, and no vote binds to it: it is about the surroundings of a
configuration, which change without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from bot.domain.redact import redact_text
from bot.domain.references import OF_THE_APP, Kind, Needed, Reference
from store.records import Json

_NAMED = 3  # things on a card's line
_NODES = 2  # of one thing there
_NAME = 60
_ID = 8  # letters of an id, on a line
_KEY = "hitches"


class Severity(StrEnum):
    """What a hitch does to the rollback."""

    BLOCKS = "blocks"  # it would be refused, or fail
    WARNS = "warns"  # it can be carried out, and may answer nobody
    UNKNOWN = "unknown"


class Presence(StrEnum):
    """Whether something is there."""

    THERE = "there"
    MISSING = "missing"
    UNUSABLE = "unusable"  # it is there, and does not work as it is
    UNKNOWN = "unknown"


class Unread(StrEnum):
    """Why a target's list could not be read: then nothing in it is called missing."""

    LATE = "late"
    DOWN = "down"
    FORBIDDEN = "forbidden"
    NO_LIST = "no_list"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


_WHY = {
    Unread.LATE: "no answer in time",
    Unread.DOWN: "no answer",
    Unread.FORBIDDEN: "not allowed to look",
    Unread.NO_LIST: "this release has no list of them",
    Unread.REFUSED: "it was refused",
    Unread.UNREADABLE: "the answer was not understood",
}


@dataclass(frozen=True)
class Looked:
    """What a look at a target brought.

    `why` is the target's own word where something is UNUSABLE, an `Unread` where it is UNKNOWN.
    """

    presence: Presence
    why: str = ""


@dataclass(frozen=True)
class Hitch:
    """One thing that a rollback would meet.

    `what` is a kind of thing, or the code of a refusal with its sentence in `why`; texts come from
    a configuration and are redacted.
    """

    severity: Severity
    what: str
    name: str = ""
    provider: str = ""
    nodes: tuple[str, ...] = ()
    why: str = ""

    @property
    def _short(self) -> str:
        """The name as it fits a line; of an id its beginning tells enough."""
        is_id = self.what == Kind.KNOWLEDGE_BASE and len(self.name) > _ID
        return f"{self.name[:_ID]}…" if is_id else _cut(self.name)

    def told(self, *, nodes: int | None = None) -> str:
        """The thing in words, with at most so many *nodes*; None for all."""
        name = self._short if nodes is not None else self.name
        beside = [_why(self)] if self.severity is Severity.WARNS and self.why else []
        if self.nodes:
            beside.append(_places(self.nodes, nodes))
        said = f"{self.what} {name}".rstrip()
        if nodes is None and self.provider:
            said += f" of {self.provider}"
        return f"{said} ({'; '.join(beside)})" if beside else said


def hitches(references: Iterable[Reference], looked: Mapping[Needed, Looked]) -> tuple[Hitch, ...]:
    """Return what is wrong with *references* after a look; what nobody looked for is unknown."""
    found = []
    for reference in references:
        seen = looked.get(reference.needed, Looked(Presence.UNKNOWN, Unread.NO_LIST))
        if seen.presence is not Presence.THERE:
            found.append(_hitch(reference, seen))
    return tuple(sorted(found, key=lambda hitch: hitch.severity is Severity.UNKNOWN))


def facts_of(found: Sequence[Hitch]) -> dict[str, Json]:
    """Return *found* as a rollback keeps it; `hitches_in` reads it."""
    return {_KEY: [{**asdict(hitch), "nodes": list(hitch.nodes)} for hitch in found]}


def hitches_in(facts: Mapping[str, Json]) -> tuple[Hitch, ...] | None:
    """Return what `facts_of` made; None where no dry run was made, as by an older release."""
    if _KEY not in facts:
        return None
    return tuple(
        Hitch(**{**held, "severity": Severity(held["severity"]), "nodes": tuple(held["nodes"])})
        for held in facts[_KEY]
    )


def line(found: Sequence[Hitch], *, env: str) -> str:
    """Return *found* on one line, for a card."""
    missing = [hitch for hitch in found if hitch.severity is Severity.WARNS]
    unknown = [hitch for hitch in found if hitch.severity is Severity.UNKNOWN]
    said = []
    if missing:
        things = "1 thing is" if len(missing) == 1 else f"{len(missing)} things are"
        named = [hitch.told(nodes=_NODES) for hitch in missing[:_NAMED]]
        if (left := len(missing) - _NAMED) > 0:
            named.append(f"and {left} more")
        said.append(f"{things} missing in {env}: {', '.join(named)}")
    if unknown:
        said.append(f"could not be checked: {', '.join(_unknown(unknown))}")
    return f"Dry run: {'; '.join(said) or 'nothing is missing'}"


def in_full(found: Sequence[Hitch], *, env: str) -> list[str]:
    """Return *found* as lines, with every node."""
    if not found:
        return ["Dry run: nothing is missing"]
    lines = [f"Dry run in {env}:"]
    for hitch in found:
        if hitch.severity is Severity.UNKNOWN:
            lines.append(f"  not checked ({_why(hitch)}): {hitch.told()}")
        else:
            lines.append(f"  missing: {hitch.told()}")
    return lines


def warns(found: Iterable[Hitch]) -> bool:
    """Whether something that is needed is not there."""
    return any(hitch.severity is Severity.WARNS for hitch in found)


def recorded(found: Sequence[Hitch]) -> dict[str, Json]:
    """Return what the audit trail keeps of it: which things were missing or not checked."""
    by = {
        "missing": [f"{h.what} {h.name}" for h in found if h.severity is Severity.WARNS],
        "not_checked": [f"{h.what} {h.name}" for h in found if h.severity is Severity.UNKNOWN],
    }
    return {name: told for name, told in by.items() if told}


def _hitch(reference: Reference, seen: Looked) -> Hitch:
    needed = reference.needed
    unknown = seen.presence is Presence.UNKNOWN
    made = Hitch(
        severity=Severity.UNKNOWN if unknown else Severity.WARNS,
        what="workflow tool" if needed.sort == "workflow" else needed.kind.value,
        name=needed.name,
        provider=reference.label or needed.provider,
        nodes=reference.nodes,
        why=seen.why,
    )
    return replace(
        made,
        name=redact_text(made.name),
        provider=redact_text(made.provider),
        nodes=tuple(map(redact_text, made.nodes)),
    )


def _why(hitch: Hitch) -> str:
    known = {code.value: said for code, said in _WHY.items()}
    if hitch.severity is Severity.UNKNOWN:
        return known.get(hitch.why, "nobody knows why")
    return f"{hitch.why} there"


def _unknown(found: Sequence[Hitch]) -> list[str]:
    """The kinds of things of which nobody knows, each with its first reason."""
    plural = {Kind.KNOWLEDGE_BASE.value: "knowledge bases"}
    why: dict[str, str] = {}
    for hitch in found:
        why.setdefault(hitch.what, _why(hitch))
    return [f"{plural.get(what, f'{what}s')} ({said})" for what, said in why.items()]


def _places(nodes: Sequence[str], most: int | None) -> str:
    if tuple(nodes) == (OF_THE_APP,):
        return OF_THE_APP
    named = [_cut(node) if most else node for node in nodes[:most]]
    more = len(nodes) - len(named)
    called = "node" if len(nodes) == 1 else "nodes"
    return f"{called} {', '.join(named)}" + (f" and {more} more" if more else "")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _NAME else line[: _NAME - 1] + "…"
