"""What the page of a difference shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.diff.changes import Change, ChangeList, ChangeOp
from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.label import clip, label, texts
from bot.domain.diff.picture import Picture, picture
from bot.domain.diff.rows import Row, rows
from bot.domain.diff.things import nodes_of
from store.document import Document

MOST = 200  # changes that are shown whole; the rest is counted


class Language(StrEnum):
    """What a text is written in, as far as it is worth colours."""

    NONE = ""
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    JINJA = "jinja"
    JSON = "json"


_CODE = {"python3": Language.PYTHON, "javascript": Language.JAVASCRIPT}
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
    language: Language = Language.NONE


@dataclass(frozen=True)
class DiffPage:
    """The whole page. `picture` is None where there is no graph.

    `drawn` are the changes that are only seen in the editor, which nobody votes on, and
    `drawn_left` how many more there are.
    """

    title: str
    before: Side
    after: Side
    summary: str
    counts: Mapping[str, int]
    changes: tuple[PageChange, ...]
    left: int
    picture: Picture | None
    notes: tuple[str, ...] = ()
    drawn: tuple[PageChange, ...] = ()
    drawn_left: int = 0


def build(
    title: str,
    before: tuple[Side, Document],
    after: tuple[Side, Document],
    changes: ChangeList,
    *,
    notes: tuple[str, ...] = (),
) -> DiffPage:
    """Return the page of *changes*, which are between the two documents.

    Changes of layout, if they are among them, are shown apart.
    """
    drawn = tuple(c for c in changes.changes if c.kind is ChangeKind.LAYOUT)
    changes = ChangeList(tuple(c for c in changes.changes if c.kind is not ChangeKind.LAYOUT))
    languages = _languages(before[1], after[1])
    return DiffPage(
        title=title,
        before=before[0],
        after=after[0],
        summary=changes.summary(),
        counts=changes.counts(),
        changes=tuple(
            _change(f"change-{n}", change, languages)
            for n, change in enumerate(changes.top(MOST), start=1)
        ),
        left=max(len(changes.changes) - MOST, 0),
        picture=picture(before[1], after[1], changes),
        notes=notes,
        drawn=tuple(_change(f"drawn-{n}", c, {}) for n, c in enumerate(drawn[:MOST], start=1)),
        drawn_left=max(len(drawn) - MOST, 0),
    )


def _languages(*documents: Document) -> dict[str, Language]:
    """What the code of each code node is written in, by its id; the newer one's if they differ."""
    found = {}
    for name, node in nodes_of(*(document.content for document in documents)).items():
        data = node.get("data")
        spoken = data.get("code_language", "python3") if isinstance(data, dict) else ""
        if isinstance(spoken, str) and spoken in _CODE:
            found[name] = _CODE[spoken]
    return found


def _language(change: Change, languages: Mapping[str, Language]) -> Language:
    _, node, *inside = (*change.where.split("/"), "")
    if not (isinstance(change.before, str | None) and isinstance(change.after, str | None)):
        return Language.JSON if change.op is not ChangeOp.MOVED else Language.NONE
    if change.kind is ChangeKind.CODE and inside[:1] == ["code"]:
        return languages.get(node, Language.NONE)
    return Language.JINJA if inside[:1] == ["template"] else Language.NONE


def _change(anchor: str, change: Change, languages: Mapping[str, Language]) -> PageChange:
    told = change.op is ChangeOp.RECONNECTED or (
        change.kind is ChangeKind.EDGE and change.op is not ChangeOp.CHANGED
    )
    return PageChange(
        anchor=anchor,
        kind=change.kind.value,
        op=change.op.value,
        subject=clip(change.subject, _SUBJECT),
        label=clip(label(change), _LABEL),
        rows=() if told else rows(*texts(change)),
        language=_language(change, languages),
    )
