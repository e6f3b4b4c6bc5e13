"""Code that is only written in another way is the same program."""

from __future__ import annotations

import pytest

from bot.domain.diff.code import MOST, same_program

PYTHON = "def main(a: str) -> dict:\n    return {'x': a + 'b'}\n"
SCRIPT = "function main({a}) {\n  return {x: a + 'b'}\n}\n"


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("python3", PYTHON, 'def main(a:str)->dict:\n  # why\n  return {"x":a+"b"}'),
        ("python3", "x = (1)", "x=1"),
        ("javascript", SCRIPT, "function main({a}){ /* why */ return {x:a+'b'} }"),
        ("javascript", "// a\nvar a = 1;", "var a=1;\n\n"),
    ],
)
def test_another_layout_and_other_comments_are_the_same_program(
    language: str, before: str, after: str
) -> None:
    assert same_program(language, before, after)
    assert same_program(language, after, before)


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("python3", PYTHON, PYTHON.replace("'b'", "'c'")),
        ("python3", "if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
        ("python3", "x =", "x ="),  # neither is a program
        ("javascript", SCRIPT, SCRIPT.replace("a + 'b'", "a - 'b'")),
        ("javascript", "return 1", "return\n1"),
        ("javascript", "f(a)", "f(a, a)"),
        ("javascript", "if (a) {b()} c()", "if (a) {b() c()}"),
        ("javascript", "let a = `x y`", "let a = `x  y`"),
        ("javascript", "function (", "function ("),
        ("ruby", "a", "a"),
        ("", "a", "a"),
        ("python3", "a" * (MOST + 1), "a" * (MOST + 1)),
    ],
)
def test_what_runs_otherwise_or_is_no_program_is_not_the_same(
    language: str, before: str, after: str
) -> None:
    assert not same_program(language, before, after)


@pytest.mark.parametrize("language", ["python3", "javascript"])
@pytest.mark.parametrize(
    "code",
    [
        "(" * 90_000,
        "-" * 90_000 + "1",
        "[" * 50_000 + "]" * 50_000,
        "\x00",
        "\ud800",
        "f(\n" * 9000,
    ],
)
def test_hostile_code_is_survived(language: str, code: str) -> None:
    assert same_program(language, code, code + " ") in {True, False}
