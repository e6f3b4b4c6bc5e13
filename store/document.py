"""The full configuration of an app: lossless, comparable, without a secret value. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from store.canonical import Unreadable, canonical, encode, is_plain, no_collection, plain
from store.meaning import (
    is_note,
    layout,
    meaningful,
    meant_edge,
    meant_node,
    meant_section,
    undrawn,
)
from store.meant import root_of_meaning
from store.parts import Part, hash_of_part, put_together, root_of_parts, take_apart
from store.records import Json, StoreError

__all__ = [
    "Document",
    "Part",
    "Secret",
    "SecretInDocument",
    "Unreadable",
    "canonical",
    "encode",
    "hash_of_part",
    "is_note",
    "join",
    "join_stored",
    "layout",
    "meant_edge",
    "meant_node",
    "meant_section",
    "no_collection",
    "root_of_parts",
    "split",
    "undrawn",
]

WORKFLOW_MODES = frozenset({"workflow", "advanced-chat"})
_VARIABLES = ("environment_variables", "conversation_variables", "rag_pipeline_variables")


class SecretInDocument(StoreError, ValueError):
    """A secret variable came with a value; documents hold its id and name alone."""


@dataclass(frozen=True)
class Secret:
    """A secret variable as documents know it."""

    id: str
    name: str


@dataclass(frozen=True, eq=False)
class Document:
    """The configuration of one app in one moment; equal when every byte of its content is.

    `content` holds, for workflow modes, `graph` {nodes, edges, viewport}, `features`,
    `environment_variables`, `conversation_variables`, `rag_pipeline_variables`; for chat modes
    `model_config`; optionally `dependencies` and `app`. Unknown keys are kept. It is copied when
    the document is made, and nobody changes it afterwards.

    Raises:
        SecretInDocument: A variable with the value type "secret" has a "value".
        Unreadable: The content is not JSON; the error names the place.
    """

    mode: str
    content: Mapping[str, Json]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", plain(self.mode))
        object.__setattr__(self, "content", plain(self.content))
        self._hold_no_secret()

    def _hold_no_secret(self) -> None:
        for variable in self._variables(*_VARIABLES):
            if variable.get("value_type") == "secret" and "value" in variable:
                raise SecretInDocument("a secret variable has a value")

    @classmethod
    def owned(cls, mode: str, content: dict[str, Json]) -> Self:
        """The document of a *content* that nobody else holds: it need not be copied.

        Raises:
            SecretInDocument, Unreadable: As for any document.
        """
        if not is_plain(content):
            return cls(mode, content)
        document = object.__new__(cls)
        vars(document).update(mode=mode, content=content)
        document._hold_no_secret()
        return document

    @classmethod
    def stored(
        cls, mode: str, content: dict[str, Json], parts: tuple[Part, ...], root: str
    ) -> Self:
        """The document that was stored as *parts* under *root*; nothing is checked or copied."""
        document = object.__new__(cls)
        vars(document).update(mode=mode, content=content, parts=parts, root=root)
        return document

    @classmethod
    def recalled(
        cls, mode: str, root: str, meaning: str, read: Callable[[], Mapping[str, Json]]
    ) -> Self:
        """The document with these roots, whose content *read* gives when it is asked for.

        Whoever makes it knows that the content has these roots. Asking may raise what *read* does.
        """
        document = object.__new__(cls)
        vars(document).update(mode=mode, root=root, meaning=meaning, _read=read)
        return document

    def __getattr__(self, name: str) -> Mapping[str, Json]:
        """Read the content of a recalled document: nothing else of one can be missing."""
        read: Callable[[], Mapping[str, Json]] | None = vars(self).get("_read")
        if name == "content" and read is not None:
            vars(self)["content"] = read()
            vars(self).pop("_read", None)
        if name not in vars(self):  # else another thread has read it meanwhile
            raise AttributeError(name)
        content: Mapping[str, Json] = vars(self)[name]
        return content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The pieces that versions share, by path."""
        return take_apart(self.content)

    @cached_property
    def root(self) -> str:
        """Top of the hash tree over mode and content: 64 hex digits."""
        return root_of_parts(self.mode, ((part.path, part.hash) for part in self.parts))

    @cached_property
    def meant(self) -> Mapping[str, Json]:
        """The content without layout and other noise; see `store.meaning.meaningful`."""
        return meaningful(self.content)

    @cached_property
    def meaning(self) -> str:
        """Top of the hash tree over mode and what matters: 64 hex digits."""
        return root_of_meaning(self.mode, self.content, self.parts)

    @cached_property
    def empty_graph(self) -> bool:
        """True for a workflow that has no node but notes; it would answer nobody."""
        if self.mode not in WORKFLOW_MODES and "graph" not in self.content:
            return False
        graph = self.meant.get("graph")
        return not (isinstance(graph, dict) and graph.get("nodes"))

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """The secret environment variables, in the document's order."""
        return tuple(
            Secret(_text(variable.get("id")), _text(variable.get("name")))
            for variable in self._variables("environment_variables")
            if variable.get("value_type") == "secret"
        )

    def _variables(self, *lists: str) -> Iterable[dict[str, Json]]:
        for name in lists:
            items = self.content.get(name)
            yield from (
                item
                for item in (items if isinstance(items, list) else ())
                if isinstance(item, dict)
            )


def split(document: Document) -> tuple[Part, ...]:
    """Return the parts of *document*, by path; `join` puts them together again."""
    return document.parts


def join(mode: str, items: Iterable[tuple[str, bytes]]) -> Document:
    """Return the document whose parts are *items* (path, data), in any order.

    Raises:
        Unreadable: A part is missing, is there twice, belongs nowhere or is no JSON.
    """
    return Document(mode, put_together(items))


def join_stored(mode: str, parts: Iterable[Part], root: str) -> Document:
    """Return the document that was split into *parts*, whose hashes are known to be right.

    Raises:
        Unreadable: They do not have this *root*, or make no document.
    """
    found = tuple(sorted(parts, key=lambda part: part.path))
    if root_of_parts(mode, ((part.path, part.hash) for part in found)) != root:
        raise Unreadable("these parts have another root")
    content = put_together((part.path, part.data) for part in found)
    return Document.stored(mode, content, found, root)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
