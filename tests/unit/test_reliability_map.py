"""The table of faults names tests and proofs that are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (?!fault |---)(.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_PROOF = re.compile(r"proof `(\w+)`")
ROWS = [(fault, held_by) for fault, _, held_by in _ROW.findall(MAP)]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize(("fault", "held_by"), ROWS, ids=[fault[:50] for fault, _ in ROWS])
def test_every_row_names_tests_that_are_there(fault: str, held_by: str) -> None:
    named, proofs = _TEST.findall(held_by), _PROOF.findall(held_by)

    assert named or proofs, fault
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert not missing
    assert all((ROOT / "tests" / "proofs" / f"{proof}.py").is_file() for proof in proofs)
