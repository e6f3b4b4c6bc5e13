"""What is said about mutants is about files, tests and lines that are there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.mutation.modules import MODULES, QUICK, Module
from tests.mutation.running import ROOT

EXPLAINED = tomllib.loads(Path(__file__).with_name("explained.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", [*MODULES.values(), QUICK])
def test_what_is_mutated_and_what_is_played_is_there(module: Module) -> None:
    assert [p for p in (*module.files, *module.tests) if not (ROOT / p).is_file()] == []


@pytest.mark.parametrize(
    "mutant", EXPLAINED["mutant"], ids=[mutant["of"] for mutant in EXPLAINED["mutant"]]
)
def test_an_explanation_is_of_a_line_that_is_still_there(mutant: dict[str, str]) -> None:
    """When the line moves on, read what survives there now."""
    (source,) = (
        (ROOT / file).read_text(encoding="utf-8")
        for module in MODULES.values()
        for file in module.files
        if mutant["of"].startswith(file.removesuffix(".py").replace("/", ".") + ".")
    )

    assert " ".join(mutant["was"].split()) in " ".join(source.split())
    assert mutant["why"]
