"""What the page of a difference shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.diff.changes import Change, ChangeList, ChangeOp
from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.label import clip, label, texts
from bot.domain.diff.picture import Picture, picture
from bot.domain.diff.rows import Row, rows
from store.document import Document

MOST = 200  # changes that are shown whole; the rest is counted
_SUBJECT, _LABEL = 160, 160


@dataclass(frozen=True)
class Side:
    """One of the two sides: what it is called, and what is known of it."""

    name: str
    facts: tuple[tuple[str, str], ...] = ()  # ("published", "2026-11-27 09:00 UTC"), …


@dataclass(frozen=True)
class PageChange:
    """One change on the page; `anchor` is its place in the page's address."""

    anchor: str
    kind: str
    op: str
    subject: str
    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class DiffPage:
    """The whole page. `picture` is None where there is no graph."""

    title: str
    before: Side
    after: Side
    summary: str
    counts: Mapping[str, int]
    changes: tuple[PageChange, ...]
    left: int
    picture: Picture | None
    notes: tuple[str, ...] = ()


def build(
    title: str,
    before: tuple[Side, Document],
    after: tuple[Side, Document],
    changes: ChangeList,
    *,
    notes: tuple[str, ...] = (),
) -> DiffPage:
    """Return the page of *changes*, which are between the two documents."""
    return DiffPage(
        title=title,
        before=before[0],
        after=after[0],
        summary=changes.summary(),
        counts=changes.counts(),
        changes=tuple(_change(n, change) for n, change in enumerate(changes.top(MOST), start=1)),
        left=max(len(changes.changes) - MOST, 0),
        picture=picture(before[1], after[1], changes),
        notes=notes,
    )


def _change(n: int, change: Change) -> PageChange:
    told = change.op is ChangeOp.RECONNECTED or (
        change.kind is ChangeKind.EDGE and change.op is not ChangeOp.CHANGED
    )
    return PageChange(
        anchor=f"change-{n}",
        kind=change.kind.value,
        op=change.op.value,
        subject=clip(change.subject, _SUBJECT),
        label=clip(label(change), _LABEL),
        rows=() if told else rows(*texts(change)),
    )
