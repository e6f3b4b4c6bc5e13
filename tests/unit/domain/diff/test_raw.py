"""The difference of two JSON texts is the one of the documents in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings

from bot.domain.diff.changes import ChangeKind, ChangeOp, Note, as_json, compare
from bot.domain.diff.raw import compare_json
from store.document import Document, Unreadable, canonical
from tests.benchmarks.workflows import Workflows
from tests.unit.domain.diff.test_changes import EDITS, a_document
from tests.unit.store.odd_documents import documents

SECTIONS = (
    *("graph", "features", "environment_variables", "conversation_variables"),
    *("rag_pipeline_variables", "model_config", "dependencies", "app"),
)
SCHEMA = json.loads((Path(__file__).parents[4] / "docs" / "diff.schema.json").read_text())


def text_of(document: Document, **more: Any) -> bytes:
    return canonical({**document.content, "mode": document.mode, **more})


def readable(document: Document) -> bool:
    """Whether orjson reads what it is, and there is a graph to read."""
    try:
        orjson.dumps(dict(document.content))
    except orjson.JSONEncodeError:
        return False
    return isinstance(document.content.get("graph"), dict)


@given(documents.filter(readable), documents.filter(readable))
@settings(max_examples=80)
def test_odd_documents_differ_alike_as_text(one: Document, other: Document) -> None:
    sides = [
        Document(d.mode, {name: d.content[name] for name in SECTIONS if name in d.content})
        for d in (one, other)
    ]

    assert compare_json(text_of(one), text_of(other)) == compare(*sides)


@pytest.mark.parametrize("seed", range(4))
def test_large_workflows_differ_alike_as_text(seed: int) -> None:
    made = Workflows(seed)
    content = made.content(60)
    edited = made.mixed(content)

    found = compare_json(orjson.dumps(content), orjson.dumps(edited), layout=True)

    sides = Document("workflow", content), Document("workflow", edited)
    assert found == compare(*sides, layout=True)
    assert {ChangeKind.PROMPT, ChangeKind.NODE, ChangeKind.LAYOUT} <= {
        c.kind for c in found.changes
    }


def test_what_the_target_adds_is_no_difference_and_a_secret_is_not_read() -> None:
    def secret(value: str) -> list[dict[str, str]]:
        return [{"id": "k", "name": "API_KEY", "value_type": "secret", "value": value}]

    one = text_of(a_document(), hash="a", created_at=1, environment_variables=secret("hunter2"))
    other = text_of(a_document(), hash="b", created_at=2, environment_variables=secret("hunter3"))

    assert compare_json(one, other).changes == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", r"the newer one is not JSON \(line 1, column 2\)"),
        (b'{"graph": {},\n "a": }', r"line 2, column"),
        (b"[]", "is not an object"),
        (b"{}", "neither a `graph` nor a `model_config`"),
        (b'{"graph": []}', "neither a `graph`"),
        (b'{"graph": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}", "too deep"),
        (b"\xff\xfe", "is not JSON"),
        (b"", "is not JSON"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(text: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        compare_json(text_of(a_document()), text)


def test_the_published_schema_knows_every_word() -> None:
    change = SCHEMA["$defs"]["change"]["properties"]

    assert SCHEMA["$defs"]["kind"]["enum"] == [kind.value for kind in ChangeKind]
    assert change["op"]["enum"] == [op.value for op in ChangeOp]
    assert change["note"]["enum"] == [note.value for note in Note]


def test_every_edit_is_exported_as_the_schema_says() -> None:
    for _, edit, _, _ in EDITS:
        changes = compare(a_document(), a_document(edit))
        exported = {
            "schema": changes.schema,
            "before": {"name": "a", "notices": []},
            "after": {"name": "b", "notices": []},
            "differ": True,
            "summary": changes.summary(),
            "counts": changes.counts(),
            "digest": changes.digest,
            "changes": [as_json(change) for change in changes.changes],
        }

        jsonschema.validate(json.loads(json.dumps(exported)), SCHEMA)
