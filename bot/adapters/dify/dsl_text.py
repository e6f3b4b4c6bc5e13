"""The YAML text of a DSL as JSON, built in one pass; what could harm is refused with its place.

The form is YAML 1.1 as PyYAML's safe loader reads it, which is what Dify writes with, but for
this: what looks like a date stays text, keys become text as JSON would write them, and a key
stands once. Aliases and tags are refused: a few lines of them can mean gigabytes, or code. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from bot.adapters.dify.shapes import SYSTEM
from bot.errors import AnswerUnreadable
from store.records import Json

MAX_BYTES = 5 * 2**20
MAX_NODES = 400_000  # what 5 MiB of a real export hold, and some more
MAX_DEPTH = 64
_PLACE = "dsl"
_TEXT = "tag:yaml.org,2002:str"
_NO_TEXT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:merge"}


_STARTS: dict[type, type[dict[str, Json]] | type[list[Json]]] = {
    yaml.MappingStartEvent: dict,
    yaml.SequenceStartEvent: list,
}
_ENDS = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})


class _Mark(Protocol):
    line: int
    column: int


class NotYaml(AnswerUnreadable):
    """The text cannot be read; `line` and `column` count from 1, and are 0 for the whole text."""

    def __init__(self, what: str, mark: _Mark | None = None) -> None:
        self.what = what
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0
        super().__init__(SYSTEM, f"{_PLACE}{self.place}: {what}")

    @property
    def place(self) -> str:
        """`, line 3, column 5`; "" for the whole text."""
        return f", line {self.line}, column {self.column}" if self.line else ""


class _Scalars(yaml.SafeLoader):
    """Gives unquoted words their meaning; what looks like a date or a `=` stays text."""

    def __init__(self) -> None:
        super().__init__("")

    def tag_of(self, word: str) -> str:
        tag: str = self.resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call]  # PyYAML's stubs
        return tag


_Scalars.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] not in _NO_TEXT]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(source: str) -> Json:
    """Return what *source* says: JSON values alone.

    Raises:
        NotYaml: No YAML; an alias, an anchor, a tag or a key that stands twice; more than 5 MiB,
            64 levels or 400,000 values. The error names the place, never the text.
    """
    if len(source) > MAX_BYTES or len(source.encode(errors="replace")) > MAX_BYTES:
        raise NotYaml(f"larger than {MAX_BYTES // 2**20} MiB, the most that is read")
    try:
        return _Builder().built(yaml.parse(source, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        why = error.problem or type(error).__name__
        raise NotYaml(f"not valid YAML: {why}", error.problem_mark or error.context_mark) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise NotYaml("not valid YAML: a character or a number that cannot be read") from None


@dataclass
class _Open:
    """A mapping or a list that is being built; `key` waits for its value."""

    made: dict[str, Json] | list[Json]
    key: str | None = None

    def put(self, value: Json) -> None:
        if isinstance(self.made, list):
            self.made.append(value)
        elif self.key is not None:
            self.made[self.key] = value
            self.key = None

    def wants_key(self) -> bool:
        return isinstance(self.made, dict) and self.key is None


@dataclass
class _Builder:
    """Puts values together from the parser's events."""

    _open: list[_Open] = field(default_factory=list)
    _whole: list[Json] = field(default_factory=list)
    _count: int = 0
    _scalars: _Scalars = field(default_factory=_Scalars)
    _known: dict[str, Json] = field(default_factory=dict)  # unquoted words come again and again

    def built(self, events: Iterator[Any]) -> Json:
        """What the one document of *events* says; None for an empty text."""
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._begin(event)
                self._scalar(event)
            elif kind in _STARTS:
                self._begin(event)
                self._collection(event, _STARTS[kind]())
            elif kind in _ENDS:
                self._put(self._open.pop().made)
            elif kind is yaml.AliasEvent:
                what = "an alias (*…) stands here; write out what it stands for"
                raise NotYaml(what, event.start_mark)
            elif kind is yaml.DocumentStartEvent and self._whole:
                raise NotYaml("not one YAML document: a second one begins here", event.start_mark)
        return self._whole[0] if self._whole else None

    def _begin(self, event: Any) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise NotYaml(f"more than {MAX_NODES} values", event.start_mark)
        if event.anchor is not None:
            raise NotYaml("an anchor (&…) for aliases stands here; take it out", event.start_mark)
        if event.tag is not None:
            raise NotYaml("a tag (!…) stands here; take it out", event.start_mark)

    def _collection(self, event: Any, made: dict[str, Json] | list[Json]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise NotYaml(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if self._open and self._open[-1].wants_key():
            raise NotYaml("a list or a mapping stands where a key belongs", event.start_mark)
        self._open.append(_Open(made))

    def _scalar(self, event: Any) -> None:
        value = self._word(event) if event.implicit[0] else event.value
        inside = self._open[-1] if self._open else None
        if inside is None or not inside.wants_key():
            self._put(value)
            return
        key = value if isinstance(value, str) else json.dumps(value)  # `on` is true, null is null
        if key in inside.made:
            raise NotYaml("a key that stands in this mapping already", event.start_mark)
        inside.key = key

    def _word(self, event: Any) -> Json:
        text: str = event.value
        if text not in self._known:
            tag = self._scalars.tag_of(text)
            if tag == _TEXT:
                self._known[text] = text
            else:
                self._known[text] = self._meant(tag, event)
        return self._known[text]

    def _meant(self, tag: str, event: Any) -> Json:
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        construct: Callable[[yaml.Node], Json] = self._scalars.construct_object
        try:
            return construct(node)
        except ValueError:  # `0b`, `1__`, more digits than Python reads
            raise NotYaml(
                "not valid YAML: a number that cannot be read", event.start_mark
            ) from None

    def _put(self, value: Json) -> None:
        if self._open:
            self._open[-1].put(value)
        else:
            self._whole.append(value)
