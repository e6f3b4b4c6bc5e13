"""Real workflows: 149 exports of strangers, 24 of them with their history."""

from __future__ import annotations

import copy
import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.dify.dsl import from_dsl
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.diff.text import MAX_BYTES, as_text, card_changes, mini
from bot.domain.redact import HIDDEN, redact
from bot.domain.references import Kind, references
from store.document import Document, join, split
from store.records import Json
from tests.plugins.requirements import shared_path


@functools.cache
def singles() -> tuple[Path, ...]:
    return tuple(sorted(shared_path("data", "dsl").glob("*.yml")))


@functools.cache
def histories() -> tuple[tuple[Path, ...], ...]:
    folders = sorted(path for path in shared_path("data", "dsl_histories").iterdir())
    return tuple(tuple(sorted(path.glob("*.yml"))) for path in folders if path.is_dir())


@functools.cache
def read(path: Path) -> Document:
    return from_dsl(path.read_text())


def every_document() -> Iterator[Document]:
    for path in itertools.chain(singles(), *histories()):
        yield read(path)


def every_step() -> Iterator[tuple[Document, Document]]:
    for history in histories():
        yield from itertools.pairwise(read(path) for path in history)


def test_all_of_them_are_here() -> None:
    assert (len(singles()), len(histories())) == (82, 24)
    assert sum(map(len, histories())) == 67
    assert len(list(every_step())) == 43


def test_every_document_splits_and_joins_without_loss() -> None:
    for document in every_document():
        again = join(document.mode, reversed([(part.path, part.data) for part in split(document)]))

        assert again == document
        assert again.content == document.content
        assert (again.root, again.meaning) == (document.root, document.meaning)


def test_every_document_that_runs_a_graph_has_one() -> None:
    assert not any(document.empty_graph for document in every_document())


def test_every_model_tool_and_knowledge_base_of_a_node_is_a_reference() -> None:
    found: Counter[Kind] = Counter()
    for document in every_document():
        needed = {reference.needed for reference in references(document)}
        found.update(one.kind for one in needed)
        names = {one.name for one in needed}
        for node in document.content.get("graph", {}).get("nodes", []):
            data = node["data"]
            model = data.get("model", {})
            if data.get("type") == "llm" and model.get("name") and model.get("provider"):
                assert model["name"] in names
            if data.get("type") == "tool":
                assert data["tool_name"] in names
            assert set(data.get("dataset_ids", ())) <= names

    assert set(found) == set(Kind)
    assert found[Kind.MODEL] > 100


def test_moved_boxes_and_turned_lists_change_no_meaning() -> None:
    for document in every_document():
        content = copy.deepcopy(dict(document.content))
        graph = content.get("graph")
        if not isinstance(graph, dict):
            continue
        graph["nodes"].reverse()
        graph["edges"].reverse()
        graph["viewport"] = {"x": 5, "y": 5, "zoom": 2}
        for node in graph["nodes"]:
            node["position"] = {"x": 1, "y": 2}
            node["selected"] = True
        moved = Document(document.mode, content)

        assert moved.root != document.root
        assert moved.meaning == document.meaning
        assert compare(document, moved) == ChangeList()


def test_every_step_of_a_history_differs_the_same_way_each_time() -> None:
    for before, after in every_step():
        changes = compare(before, after)

        assert bool(changes.changes) == (before.meaning != after.meaning)
        assert compare(before, after).digest == changes.digest
        assert sum(changes.counts().values()) == len(changes.changes)
        assert len(changes.summary()) < 500


def test_every_step_can_be_shown_within_bounds() -> None:
    for before, after in every_step():
        for changes in (compare(before, after), compare(after, before)):
            lines = card_changes(changes, 5)

            assert len(lines) == min(5, len(changes.changes))
            assert all(
                len(text) <= 120
                for line in lines
                for text in (line.subject, line.detail, line.before, line.after)
            )
            assert len(as_text(changes).encode()) <= MAX_BYTES
            assert len(mini(changes).splitlines()) <= 40


def test_a_document_differs_from_any_other_and_says_so() -> None:
    documents = [read(path) for path in singles()]
    for before, after in itertools.pairwise(documents):
        assert compare(before, after).changes


def test_few_harmless_texts_are_hidden() -> None:
    texts = hidden = 0
    for document in every_document():
        for before, after in _leaves(document.meant, redact(document.meant)):
            texts += 1
            hidden += before != after
            assert before == after or HIDDEN in str(after)

    assert hidden >= 3, "the sample holds a few credentials"
    assert hidden / texts < 0.002


def test_the_default_password_in_the_sample_is_never_shown() -> None:
    (path,) = (p for h in histories() for p in h if str(p).endswith("svcvit-llm-3cfaca/001.yml"))
    assert "difyai123456" in path.read_text()

    before = read(path)
    for after in (Document(before.mode, {}), read(path.with_name("002.yml"))):
        for changes in (compare(before, after), compare(after, before)):
            assert "difyai123456" not in as_text(changes)
            assert b"difyai123456" not in changes.canonical()


@pytest.mark.parametrize("name", ["minimal_not_an_app.yml"])
def test_what_is_no_app_is_refused(name: str) -> None:
    with pytest.raises(Exception, match="dsl"):
        from_dsl(shared_path("data", "dsl_transcribed", name).read_text())


def _leaves(before: Json, after: Json) -> Iterator[tuple[Json, Json]]:
    if isinstance(before, dict):
        for one, other in zip(before.values(), after.values(), strict=True):
            yield from _leaves(one, other)
    elif isinstance(before, list):
        for one, other in zip(before, after, strict=True):
            yield from _leaves(one, other)
    else:
        yield before, after
