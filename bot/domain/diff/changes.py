"""The structural difference between two documents, in meaning: layout and other noise ignored."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from bot.domain.diff.kinds import RANK, ChangeKind
from bot.domain.diff.parts import Found, found_between
from bot.domain.diff.secrets import private_variables
from bot.domain.diff.summary import summary
from bot.domain.diff.walk import ChangeOp
from bot.domain.redact import PRIVATE, Redactor
from store.document import Document, canonical
from store.records import Json

__all__ = ["Change", "ChangeKind", "ChangeList", "ChangeOp", "compare"]

SCHEMA = 1
_STEP = 80
_SUBJECT = 200


@dataclass(frozen=True)
class Change:
    """One thing that differs, redacted; equal secrets are dots, others `•••• (changed)`.

    `subject` is what people call the thing, `where` the path to it (`nodes/17/model/name`).
    `before` is None for what was added, `after` for what was removed; both are JSON values.
    """

    kind: ChangeKind
    op: ChangeOp
    subject: str
    where: str
    before: Json
    after: Json


@dataclass(frozen=True)
class ChangeList:
    """All changes between two documents, the riskiest kind first; empty if they mean the same."""

    changes: tuple[Change, ...] = ()
    schema: int = SCHEMA

    def canonical(self) -> bytes:
        """Return the byte form that is digested, with the schema's number in it."""
        changes = [
            {
                "kind": change.kind,
                "op": change.op,
                "subject": change.subject,
                "where": change.where,
                "before": change.before,
                "after": change.after,
            }
            for change in self.changes
        ]
        return canonical({"schema": self.schema, "changes": changes})

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the canonical form: what votes bind to."""
        return hashlib.sha256(b"keyturn/changes/1\n" + self.canonical()).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return how many changes there are of each kind that occurs, the riskiest first."""
        counted = Counter(change.kind for change in self.changes)
        return {kind.value: counted[kind] for kind in ChangeKind if counted[kind]}

    def summary(self) -> str:
        """Return one line in plain words, at most a few hundred characters."""
        return summary(self.changes)

    def top(self, n: int) -> tuple[Change, ...]:
        """Return the *n* most important changes."""
        return self.changes[: max(n, 0)]


def compare(before: Document, after: Document) -> ChangeList:
    """Return what differs in meaning between *before* and *after*; empty exactly if nothing does.

    Nodes are matched by id, edges by their ends and handles, variables by id or name, prompt
    messages by position. Secrets are gone before anything is kept, and so is the plain value of
    a variable that is secret on the other side. The same two documents give the same list,
    whatever the order of their nodes, edges and keys.
    """
    if before.meaning == after.meaning:
        return ChangeList()
    redactor = Redactor()
    redactor.learn(before.meant)
    redactor.learn(after.meant)
    for variable in private_variables(before, after):
        redactor.learn(variable, PRIVATE)
    changes = [_change(found, redactor) for found in found_between(before, after, redactor)]
    return ChangeList(tuple(sorted(changes, key=_risk)))


def _risk(change: Change) -> int:
    return RANK[change.kind]


def _change(found: Found, redactor: Redactor) -> Change:
    before = redactor.reveal(found.before)
    if found.op is ChangeOp.CHANGED:
        after = redactor.reveal(found.after, beside=found.before)
        if after == before:  # the same secrets in other places
            after = redactor.reveal(found.after, beside=())
    else:
        after = redactor.reveal(found.after)
    path = (redactor.shown(step).replace("/", "_")[:_STEP] for step in found.path)
    subject = redactor.shown(found.subject)[:_SUBJECT]
    return Change(found.kind, found.op, subject, "/".join(path), before, after)
