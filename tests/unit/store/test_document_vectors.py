"""Roots and meanings are kept for years: their form is frozen by a vector file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from store.document import Document, canonical, split

_FILE = Path(__file__).parents[2] / "vectors" / "document_roots.json"
VECTORS = json.loads(_FILE.read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_roots_and_meanings_stay_what_they_were(vector: dict[str, object]) -> None:
    document = Document(str(vector["mode"]), vector["content"])  # type: ignore[arg-type]

    assert {part.path: part.hash for part in split(document)} == vector["parts"]
    assert document.root == vector["root"]
    assert document.meaning == vector["meaning"]
    assert canonical(document.content).decode() == vector["canonical"]
