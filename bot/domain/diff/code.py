"""Whether two pieces of code are the same program, written in another way. Pure.

Python by its own syntax tree (https://docs.python.org/3/library/ast.html), JavaScript by that of
tree-sitter (https://tree-sitter.github.io). Comments and blank lines are no part of either.
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser

MOST = 200_000  # characters; longer code is compared as text alone
LANGUAGES = frozenset({"python3", "javascript"})  # as Dify calls them


def same_program(language: str, before: str, after: str) -> bool:
    """Return True if both are valid *language* with the same syntax tree.

    False for code that does not parse, that is too long, or of another language than Python
    ("python3") and JavaScript ("javascript").
    """
    if language not in LANGUAGES or max(len(before), len(after)) > MOST:
        return False
    if language == "python3":
        tree = _python(before)
        return tree is not None and tree == _python(after)
    return _javascript(before, after)


def _python(code: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid escape sequence" and the like are theirs
            return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _javascript(before: str, after: str) -> bool:
    trees = [_parser().parse(code.encode("utf-8", "replace")).root_node for code in (before, after)]
    if any(tree.has_error for tree in trees):
        return False
    old, new = (_leaves(tree) for tree in trees)
    return all(a == b for a, b in _side_by_side(old, new))


def _leaves(tree: Node) -> Iterator[tuple[str, str, bytes]]:
    """Yield the tokens with the kind of what they stand in; no recursion, however deep it is."""
    cursor = tree.walk()
    while True:
        node = cursor.node
        if node is not None and node.type != "comment":
            if cursor.goto_first_child():
                yield ("in", node.type, b"")
                continue
            yield ("token", node.type, node.text or b"")
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            yield ("out", "", b"")


def _side_by_side(
    old: Iterator[tuple[str, str, bytes]], new: Iterator[tuple[str, str, bytes]]
) -> Iterator[tuple[object, object]]:
    for one in old:
        yield one, next(new, None)
    yield None, next(new, None)


@lru_cache(maxsize=1)
def _parser() -> Parser:
    """Imported late: most differences have no JavaScript in them."""
    import tree_sitter_javascript
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_javascript.language()))
