"""Code, templates and JSON in colours, as editors show them, on top of what changed in them.

What is shown of a text are pieces of it, so each piece is read by itself (Pygments,
https://pygments.org): a text in quotes that began above it is taken for code, which costs a
colour and no character. Pieces are short, because what some of its lexers need grows with the
square of the length (of a template full of `{#`, say, which never ends a comment).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from pygments.lexer import Lexer
from pygments.lexers.data import JsonLexer
from pygments.lexers.javascript import JavascriptLexer
from pygments.lexers.python import PythonLexer
from pygments.lexers.templates import DjangoLexer
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

from bot.domain.diff.page import Language
from bot.domain.diff.rows import Row, RowKind
from bot.domain.diff.words import Run, RunOp

MOST_CHARACTERS = 100_000  # of one page; what is beyond them stays as it is
_AT_ONCE = 2_000  # characters that are read together; at worst 50 ms
_LEXERS: dict[Language, type[Lexer]] = {
    Language.PYTHON: PythonLexer,
    Language.JAVASCRIPT: JavascriptLexer,
    Language.JSON: JsonLexer,
    Language.JINJA: DjangoLexer,
}
_COLOURS: dict[_TokenType, str] = {
    Comment.Preproc: "t",  # the braces of a template
    Comment: "c",
    Keyword: "k",
    String: "s",
    Number: "m",
    Name.Tag: "t",  # a key in JSON
    Name.Function: "f",
    Name.Class: "f",
    Name.Decorator: "f",
}
_NOT_SHOWN = frozenset({RowKind.SKIPPED, RowKind.CUT})


@dataclass(frozen=True)
class Segment:
    """Some characters: what became of them, and the class of their colour ("" for none)."""

    op: RunOp
    colour: str
    text: str


@dataclass(frozen=True)
class ColouredRow:
    """A row of a difference with its colours."""

    kind: RowKind
    old: tuple[Segment, ...]
    new: tuple[Segment, ...]
    count: int


def coloured(rows: Sequence[Row], language: Language) -> tuple[ColouredRow, ...]:
    """Return *rows* with the colours of *language*; not one character is another one."""
    made: list[ColouredRow] = []
    for hidden, piece in groupby(rows, lambda row: row.kind in _NOT_SHOWN):
        some = list(piece)
        plain = hidden or language not in _LEXERS
        old, new = ([*_side(some, side, None if plain else language)] for side in ("old", "new"))
        made += [
            ColouredRow(row.kind, left, right, row.count)
            for row, left, right in zip(some, old, new, strict=True)
        ]
    return tuple(made)


def _side(
    rows: Sequence[Row], side: str, language: Language | None
) -> Iterator[tuple[Segment, ...]]:
    lines: list[tuple[Run, ...]] = [getattr(row, side) for row in rows]
    texts = ["".join(run.text for run in runs) for runs in lines]
    shown = [text for text, runs in zip(texts, lines, strict=True) if runs]
    colours = _colours(shown, language) if language else iter(())
    for runs in lines:
        yield tuple(_merged(runs, next(colours, []) if runs else []))


def size(rows: Sequence[Row]) -> int:
    """Return how many characters are to be coloured in *rows*."""
    return sum(len(run.text) for row in rows for run in (*row.old, *row.new))


Colours = list[tuple[str, int]]  # of one line: a colour, and how many characters have it


def _colours(lines: Sequence[str], language: Language) -> Iterator[Colours]:
    some: list[str] = []
    room = _AT_ONCE
    for line in lines:
        room -= len(line) + 1
        if some and room < 0:
            yield from _read("\n".join(some), language)
            some, room = [], _AT_ONCE - len(line) - 1
        some.append(line)
    yield from _read("\n".join(some), language)


def _read(text: str, language: Language) -> Iterator[Colours]:
    if len(text) > _AT_ONCE:  # one endless line
        yield []
        return
    line: Colours = []
    for kind, value in _lexer(language).get_tokens(text):
        colour = next((_COLOURS[of] for of in reversed(kind.split()) if of in _COLOURS), "")
        for n, piece in enumerate(value.split("\n")):
            if n:
                yield line
                line = []
            if piece:
                line.append((colour, len(piece)))
    yield line


@cache
def _lexer(language: Language) -> Lexer:
    return _LEXERS[language](stripnl=False, ensurenl=False)


def _merged(runs: Sequence[Run], colours: Sequence[tuple[str, int]]) -> Iterator[Segment]:
    waiting = list(colours)
    for run in runs:
        text = run.text
        while text:
            colour, length = waiting.pop(0) if waiting else ("", len(text))
            if length > len(text):
                waiting.insert(0, (colour, length - len(text)))
            yield Segment(run.op, colour, text[:length])
            text = text[length:]
