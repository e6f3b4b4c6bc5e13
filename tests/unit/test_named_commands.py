"""Every command that a text names is one that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain import commands
from bot.domain.words import OutcomeCode

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "Dockerfile", "Procfile")),
        *(ROOT / "bot" / "errors").glob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "templates").rglob("*.j2"),
        *(file for file in (ROOT / "deploy").rglob("*") if file.is_file()),
    ]
)
FILLED = {
    "APP@ENV": "support-triage@prod",
    "%(where)s": "support-triage@prod",
    "VERSION": "6",
    "PAGE": "2",
    "NUMBER": "17",
    "A": "5",
    "B": "live",
}
# What stands as an end in people's way; the others say themselves what came of it.
ENDS = {"FAILED", "NEEDS_ATTENTION"}


def said(pattern: str) -> list[tuple[str, str]]:
    """Each text's file and what *pattern* finds in it."""
    return sorted(
        {
            (str(file.relative_to(ROOT)), found)
            for file in TEXTS
            for found in re.findall(pattern, file.read_text(encoding="utf-8"))
        }
    )


def spelled_out(form: str) -> Iterator[str]:
    """*form* with words in place of its capitals, once with each `[…]` and once without."""
    optional = re.findall(r" \[[^]]+\]", form)
    for kept in product((True, False), repeat=len(optional)):
        text = form
        for part, keep in zip(optional, kept, strict=True):
            text = text.replace(part, " " + part.strip(" []") if keep else "", 1)
        yield " ".join(FILLED.get(word, word) for word in text.split())


@pytest.mark.parametrize(("file", "form"), said(r"`/rollback (?!%)([^`<{}]+)`"))
def test_a_slash_command_that_is_named_is_understood(file: str, form: str) -> None:
    first, *words = form.split()
    verb = form if words else {"to": "to APP@ENV VERSION", "diff": "diff APP@ENV A"}.get(first)

    for text in spelled_out(verb or (f"{first} APP@ENV" if first in ("log", "who") else first)):
        assert commands.parse(text), (file, text)


@pytest.mark.parametrize(
    ("file", "words"), said(r"(?:`|\"|, |\$ )keyturn ([a-z][a-z-]*(?: [a-z]+)?)")
)
def test_a_command_that_is_named_is_there(file: str, words: str) -> None:
    command = main.command_line()
    for word in words.split():
        known = getattr(command, "commands", None)
        if known is None:
            break  # a word of the command's own
        assert word in known, (file, words)
        command = known[word]


def test_every_end_that_calls_a_person_has_its_row_in_the_readme() -> None:
    source = (ROOT / "bot/domain/words.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = (line.split(" | ")[0] for line in readme.splitlines() if line.startswith("| `FAILED"))
    rows = {code for cell in first for code in re.findall(r"`([a-z_]+)`", cell)}
    rows |= set(re.findall(r"`(?:FAILED|NEEDS_ATTENTION): ([a-z_]+)`", readme))
    named = source.partition("class OutcomeCode")[2].partition("\nclass ")[0].splitlines()
    comment, wanted = "", set()
    for line in named:
        code = re.search(r' = "([a-z_]+)"', line)
        if code and any(end in f"{comment} {line}" for end in ENDS):
            wanted.add(code[1])
        comment = line if line.lstrip().startswith("#") else ""

    assert wanted
    assert wanted <= {code.value for code in OutcomeCode}
    assert wanted - rows == set()
