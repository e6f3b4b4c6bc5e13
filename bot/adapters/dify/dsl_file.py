"""A DSL file that somebody hands in: bytes in, an app out, with what is odd about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.adapters.dify.dsl import app_in, top_of
from bot.adapters.dify.dsl_text import MAX_BYTES, NotYaml
from bot.adapters.dify.shapes import SYSTEM
from bot.errors import AnswerUnreadable, BadInput
from store.document import Document
from store.records import Json

NEWEST_VERSION = (0, 6, 0)  # of the DSL, written by Dify 1.13 and 1.14
MODES = frozenset({"workflow", "advanced-chat", "chat", "agent-chat", "completion"})
NODE_TYPES = frozenset(
    {
        *("start", "end", "answer", "llm", "knowledge-retrieval", "question-classifier", "if-else"),
        *("code", "template-transform", "http-request", "tool", "agent", "parameter-extractor"),
        *("variable-aggregator", "variable-assigner", "assigner", "document-extractor"),
        *("list-operator", "iteration", "iteration-start", "loop", "loop-start", "loop-end"),
        *("human-input", "datasource", "trigger-webhook", "trigger-schedule", "trigger-plugin"),
        *("knowledge-index", "datasource-empty"),
    }
)
_NOTE = "custom-note"
_SHOWN = 40


class NotDsl(BadInput):
    """The file holds no app; `str()` is the place, if there is one, and what is wrong there."""


@dataclass(frozen=True)
class DslFile:
    """An app as a file describes it; `notices` say what of it is unknown or missing."""

    document: Document
    notices: tuple[str, ...] = ()


def read(data: bytes) -> DslFile:
    """Read the app in *data*: YAML as Dify exports it, or the JSON `{"data": "<yaml>"}` around it.

    Unknown modes, node types and keys are kept and said; so is a missing kind or version, which
    exports of old releases do not have.

    Raises:
        NotDsl: No UTF-8 text, no YAML, no app; an alias, an anchor, a tag or a key that stands
            twice; more than 5 MiB, 64 levels or 400,000 values. The text itself is not quoted.
    """
    try:
        top = top_of(_text(data))
        return DslFile(app_in(_an_app(top)), tuple(_notices(top)))
    except NotYaml as error:
        raise NotDsl(f"{error.place.removeprefix(', ')}: {error.what}".lstrip(": ")) from None
    except AnswerUnreadable as error:
        what = str(error).removeprefix(f"{SYSTEM}: dsl").lstrip(".: ")
        raise NotDsl(f"{what}; this is no app that Dify exported") from None


def _text(data: bytes) -> str:
    wrapped = data[:1] == b"{"  # its escapes make it longer than what is inside
    if len(data) > MAX_BYTES * (2 if wrapped else 1):
        raise NotDsl(f"larger than {MAX_BYTES // 2**20} MiB, the most that is read")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise NotDsl("UTF-16 text; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotDsl(f"{_place(data, error.start)}: not UTF-8 text") from None
    if "\0" in text:
        raise NotDsl(f"{_place(data, data.index(0))}: a zero byte; this is no text")
    return text


def _place(data: bytes, at: int) -> str:
    before = data[:at]
    return f"line {before.count(10) + 1}, column {at - before.rfind(10)}"


def _an_app(top: Mapping[str, Json]) -> Mapping[str, Json]:
    if "app" not in top:
        raise NotDsl("there is no `app` section; this is no app that Dify exported")
    return top


def _notices(top: Mapping[str, Json]) -> Iterator[str]:
    kind, version, mode = top.get("kind"), top.get("version"), top["app"].get("mode")
    if kind is None:
        yield "there is no `kind`, as in exports of old releases; read as an app"
    elif kind != "app":
        yield f"the kind is {_shown(kind)}, not app; read as an app"
    if version is None:
        yield "there is no `version`, as in exports of old releases"
    elif not isinstance(version, str):
        yield "the version is no text; Dify wants it in quotes"
    elif _numbers(version) > NEWEST_VERSION:
        known = ".".join(map(str, NEWEST_VERSION))
        yield f"the version {_shown(version)} is newer than {known}; what is unknown is kept"
    if mode not in MODES:
        yield f"the mode {_shown(mode)} is unknown; kept as it is"
    yield from _unknown_nodes(top.get("workflow"))


def _unknown_nodes(workflow: Json) -> Iterator[str]:
    graph = workflow.get("graph") if isinstance(workflow, dict) else None
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    counted: dict[str, int] = {}
    for node in nodes if isinstance(nodes, list) else ():
        data = node.get("data") if isinstance(node, dict) else None
        if not isinstance(data, dict) or node.get("type") == _NOTE:
            continue
        kind = data.get("type")
        if kind not in NODE_TYPES if isinstance(kind, str) else True:
            counted[_shown(kind)] = counted.get(_shown(kind), 0) + 1
    for kind, count in counted.items():
        yield f"{count} node{'s' * (count > 1)} of the unknown type {kind}; kept as they are"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return repr(text[:_SHOWN])


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in parts[:3])
