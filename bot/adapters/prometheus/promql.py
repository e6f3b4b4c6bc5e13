"""Strings, brackets and operators of PromQL, and texts put into it; no parser of the language.

https://prometheus.io/docs/prometheus/latest/querying/basics/ and …/operators/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<number>(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)
    |(?P<word>[A-Za-z_:][\w:]*)
    |(?P<operator>=~|!~|==|!=|>=|<=|>|<|=)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<other>[^"'`])""",
    re.VERBOSE | re.ASCII,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_LABEL = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")  # of RE2, as Go's regexp.QuoteMeta has it
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"'\\]")
_LONGEST, _DEEPEST = 20_000, 100  # characters, brackets


class NotPromQL(ValueError):
    """The text cannot be PromQL; `str()` says why."""


class Kind(StrEnum):
    """What a token is."""

    STRING = "string"
    NUMBER = "number"
    WORD = "word"
    OPERATOR = "operator"
    OPEN = "open"
    CLOSE = "close"
    OTHER = "other"


@dataclass(frozen=True)
class Token:
    """A piece of a query that begins at `at`, inside of `depth` brackets."""

    kind: Kind
    text: str
    at: int
    depth: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


def tokens(query: str) -> list[Token]:
    """Cut *query* into its tokens, without blanks and comments.

    Raises:
        NotPromQL: A quote or a bracket is not closed, or it is far too long or deep.
    """
    if len(query) > _LONGEST:
        raise NotPromQL("is too long")
    found: list[Token] = []
    opened: list[str] = []
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise NotPromQL(f"has a {query[at]} that is not closed")
        at = match.end()
        if match.lastgroup == "skip":
            continue
        kind, text = Kind(str(match.lastgroup)), match.group()
        if kind is Kind.CLOSE and (not opened or opened.pop() != _PAIRS[text]):
            raise NotPromQL(f"has a {text} that nothing opens")
        found.append(Token(kind, text, match.start(), len(opened)))
        if kind is Kind.OPEN:
            opened.append(text)
        if len(opened) > _DEEPEST:
            raise NotPromQL(f"has more than {_DEEPEST} brackets inside of each other")
    if opened:
        raise NotPromQL(f"has a {opened[-1]} that is not closed")
    return found


def is_label(name: str) -> bool:
    """True if *name* can be written as a label's name without quotes."""
    return _LABEL.fullmatch(name) is not None


def inside_quotes(text: str) -> str:
    """*text* as it stands between double or single quotes, whatever it holds."""
    return _UNSAFE.sub(lambda found: _escaped(found.group()), text)


def _escaped(char: str) -> str:
    return "\\\\" if char == "\\" else f"\\x{ord(char):02x}"


def literally(text: str) -> str:
    r"""The regular expression that matches *text* alone: `a.b` becomes `a\.b`."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)
