"""The structural difference between two documents, in meaning: layout and other noise ignored."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.domain.diff.connections import Names
from bot.domain.diff.drawn import layout_between
from bot.domain.diff.found import Found, Note, found_in
from bot.domain.diff.kinds import RANK, ChangeKind
from bot.domain.diff.left_out import NOTHING, LeftOut
from bot.domain.diff.reduced import reduced
from bot.domain.diff.secrets import private_variables
from bot.domain.diff.summary import Phrase, phrases, summary
from bot.domain.diff.things import nodes_of, things_between
from bot.domain.diff.walk import ChangeOp
from bot.domain.redact import PRIVATE, Redactor
from store.document import Document, canonical
from store.records import Json

__all__ = ["Change", "ChangeKind", "ChangeList", "ChangeOp", "Note", "compare", "compare_contents"]

SCHEMA = 2
_STEP = 80
_SUBJECT = 200
_MODEL = ("model/name", "model/provider", "model/model", "model/value/model")
_LAST = 100  # what changes nothing that runs comes behind all that does


@dataclass(frozen=True)
class Change:
    """One thing that differs, redacted; equal secrets are dots, others `•••• (changed)`.

    `subject` is what people call the thing, `where` the path to it (`nodes/17/model/name`).
    `before` is None for what was added, `after` for what was removed; both are JSON values, of
    a moved item its positions from 1. `note` says what is not seen by looking at them.
    """

    kind: ChangeKind
    op: ChangeOp
    subject: str
    where: str
    before: Json
    after: Json
    note: Note = Note.NONE


@dataclass(frozen=True)
class ChangeList:
    """All changes between two documents, the riskiest kind first; empty if they mean the same."""

    changes: tuple[Change, ...] = ()
    schema: int = SCHEMA

    def canonical(self) -> bytes:
        """Return the byte form that is digested, with the schema's number in it."""
        return canonical({"schema": self.schema, "changes": [as_json(c) for c in self.changes]})

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the canonical form: what votes bind to."""
        return hashlib.sha256(b"keyturn/changes/2\n" + self.canonical()).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return how many changes there are of each kind that occurs, the riskiest first."""
        counted = Counter(change.kind for change in self.changes)
        return {kind.value: counted[kind] for kind in ChangeKind if counted[kind]}

    def summary(self) -> str:
        """Return one line in plain words, at most a few hundred characters."""
        return summary(self.changes)

    def phrases(self) -> tuple[Phrase, ...]:
        """Return what `summary` says as values, for who says it in another language."""
        return phrases(self.changes)

    def top(self, n: int) -> tuple[Change, ...]:
        """Return the *n* most important changes."""
        return self.changes[: max(n, 0)]


def as_json(change: Change) -> dict[str, Json]:
    """Return *change* as it is digested and exported."""
    return {
        "kind": change.kind,
        "op": change.op,
        "subject": change.subject,
        "where": change.where,
        "before": change.before,
        "after": change.after,
        "note": change.note,
    }


def compare(before: Document, after: Document, *, layout: bool = False) -> ChangeList:
    """Return what differs in meaning between *before* and *after*; empty exactly if nothing does.

    Nodes are matched by id, connections by their ends and handles, variables by id or name,
    items of lists by name, by being equal, or by position. Secrets are gone before anything is
    kept, and so is the plain value of a variable that is secret on the other side. The same two
    documents give the same list, whatever the order of their nodes, connections and keys.

    With *layout*, what only looks different comes last.
    """
    return compare_contents(
        (before.mode, before.content), (after.mode, after.content), layout=layout
    )


def compare_contents(
    before: tuple[str, Mapping[str, Json]],
    after: tuple[str, Mapping[str, Json]],
    *,
    layout: bool = False,
    left_out: LeftOut = NOTHING,
) -> ChangeList:
    """Return what `compare` does for documents of these modes and contents.

    The contents are plain JSON, and a secret variable has no value in them. Connections that are
    the same may be missing in both, and nodes that are the same if *left_out* tells of them.
    """
    (mode, old), (other_mode, new) = before, after
    left, right = reduced(old, new)
    redactor = Redactor()
    _learn(redactor, old, right, left_out)
    found = [] if _tell_modes(old, new) else [*_modes(mode, other_mode, redactor)]
    called = Names((nodes_of(old, new), left_out.nodes), redactor)
    for thing in things_between(left, right):
        found += found_in(thing, redactor, called)
    if layout:
        found += layout_between(old, new, redactor)
    changes = sorted((_change(one, redactor) for one in found), key=_risk)
    return ChangeList(tuple(changes))


def _learn(
    redactor: Redactor, old: Mapping[str, Json], new: Mapping[str, Json], left_out: LeftOut
) -> None:
    """Let *redactor* know every credential of *old* and of what else is in *new*."""
    redactor.learn_from(old)
    redactor.learn_from({"graph": {"nodes": list(left_out.suspects)}})
    redactor.learn_from(new)
    for variable in private_variables(old, new):
        redactor.learn(variable, PRIVATE)


def _tell_modes(old: Mapping[str, Json], new: Mapping[str, Json]) -> bool:
    """Whether the contents say each their mode themselves, as DSL files do, and differ in it."""
    ours, theirs = (
        app.get("mode") if isinstance(app := side.get("app"), dict) else None for side in (old, new)
    )
    return isinstance(ours, str) and isinstance(theirs, str) and ours != theirs


def _modes(before: str, after: str, redactor: Redactor) -> Iterator[Found]:
    if before != after:
        modes = redactor.conceal_text(before), redactor.conceal_text(after)
        yield Found(ChangeKind.OTHER, ChangeOp.CHANGED, "mode", ("mode",), *modes)


def _risk(change: Change) -> tuple[int, bool]:
    """By kind; of what models are told, which model it is comes first."""
    rank = RANK[change.kind] + (_LAST if change.note is Note.FORMAT_ONLY else 0)
    return rank, not change.where.endswith(_MODEL)


def _change(found: Found, redactor: Redactor) -> Change:
    before = redactor.reveal(found.before)
    if None not in (found.before, found.after):
        after = redactor.reveal(found.after, beside=found.before)
        if after == before:  # the same secrets in other places
            after = redactor.reveal(found.after, beside=())
    else:
        after = redactor.reveal(found.after)
    path = (redactor.shown(step).replace("/", "_")[:_STEP] for step in found.path)
    subject = redactor.shown(found.subject)[:_SUBJECT]
    return Change(found.kind, found.op, subject, "/".join(path), before, after, found.note)
