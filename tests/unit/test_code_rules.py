"""What no line of ours does, read from the code itself; each rule is seen to find its mistake.

How long a comparison takes tells an outsider how much of a signature was right, so what proves
something is compared by `hmac.compare_digest`. SQL is never put together from values, and YAML
makes nothing but data.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORLD = ROOT / "bot" / "playground"  # everybody in it is ours
CODE = sorted(path for part in ("bot", "store") for path in (ROOT / part).rglob("*.py"))
# Where what an outsider sent, or what only its owner knows, meets what it should be.
GUARDED = (
    *("bot/adapters", "bot/web.py", "bot/sealing.py"),
    *("bot/domain/bearer.py", "bot/domain/button.py", "bot/domain/link.py", "bot/domain/sealed.py"),
    "store/chain.py",
)
WATCHED = [path for path in CODE if str(path.relative_to(ROOT)).startswith(GUARDED)]
_PROOF = re.compile(
    r"(?:^|_)(?:h?mac|signature|sig|token|digest|hexdigest|hash|secret|password|bearer|csrf)s?$"
)
_EQUAL = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
# What is called a token or a hash and proves nothing: everybody who may see it is told it.
KNOWN_TO_ALL = {
    "bot/adapters/dify/writing.py": ["(draft.token if draft else '') != token"],  # a draft's hash
}
_SQL = {"sa", "sqlalchemy"}
_SQL_TAKERS = {
    *("text", "execute", "executemany", "executescript", "exec_driver_sql", "scalar", "scalars"),
    *("stream", "DDL"),
}
_YAML_READERS = {"load", "load_all", "parse", "scan", "compose", "compose_all"}
_YAML_SAFE = {"SafeLoader", "CSafeLoader"}
_YAML_UNSAFE = {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}

Found = list[str]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def broken_by(paths: Iterable[Path], rule: Callable[[ast.AST], Found]) -> dict[str, Found]:
    """What of each file breaks *rule*."""
    return {named(path): found for path in paths if (found := rule(parsed(path)))}


# -- what proves something ------------------------------------------------------------------------


def compared_in_the_open(tree: ast.AST) -> Found:
    """The comparisons in *tree* that stop at the first difference of what proves something."""
    made = _made_of_proofs(tree)
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, _EQUAL) for operator in node.ops)
        and not any(map(_is_said_here, (node.left, *node.comparators)))
        and any(_proves(s) or ast.unparse(s) in made for s in (node.left, *node.comparators))
    ]


def _made_of_proofs(tree: ast.AST) -> set[str]:
    """The names that are given to what proves something, whatever they are."""
    return {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _proves(node.value)
        for target in node.targets
    }


def _is_said_here(side: ast.expr) -> bool:
    """Whether it stands in the code for everybody to read: a constant, or the name of one."""
    return isinstance(side, ast.Constant) or (isinstance(side, ast.Name) and side.id.isupper())


def _proves(side: ast.expr) -> bool:
    match side:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(_PROOF.search(name))
        case ast.Call(func=ast.Attribute(attr="encode")):  # made bytes of, to be compared
            return True
        case ast.Call(func=called):
            return _proves(called)
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return bool(_PROOF.search(name))
        case ast.BinOp(left=left, right=right):
            return _proves(left) or _proves(right)
        case ast.IfExp(body=one, orelse=other):
            return _proves(one) or _proves(other)
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            return _proves(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return any(map(_proves, parts))
    return False


def test_what_proves_something_is_compared_without_telling_how_much_was_right() -> None:
    assert broken_by(WATCHED, compared_in_the_open) == KNOWN_TO_ALL


class _Careless(ast.NodeTransformer):
    """Compares by `==` what is compared by `compare_digest`, the *nth* time."""

    def __init__(self, nth: int) -> None:
        self.before = nth

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Attribute) and node.func.attr == "compare_digest"):
            return node
        self.before -= 1
        if self.before != -1:
            return node
        return ast.Compare(left=node.args[0], ops=[ast.Eq()], comparators=[node.args[1]])


CAREFUL = [  # every one there is: its file, and which one of it
    (path, nth)
    for path in CODE
    if WORLD not in path.parents
    for nth in range(path.read_text(encoding="utf-8").count(".compare_digest("))
]


@pytest.mark.parametrize(("path", "nth"), CAREFUL, ids=[f"{named(p)}-{n}" for p, n in CAREFUL])
def test_each_careful_comparison_would_be_found_if_it_were_careless(path: Path, nth: int) -> None:
    tree = parsed(path)
    before = compared_in_the_open(tree)

    after = compared_in_the_open(_Careless(nth).visit(tree))

    assert path in WATCHED
    assert len(after) == len(before) + 1


# -- SQL ------------------------------------------------------------------------------------------


def put_together(tree: ast.AST) -> Found:
    """The SQL in *tree* that is put together from more than words of the code."""
    words = _words(tree)
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name_of(node.func) in _SQL_TAKERS
        if node.args and _is_put_together(node.args[0], words)
    ]


def _words(tree: ast.AST) -> set[str]:
    """The names that stand for one of several constants, one after the other."""
    return {
        ast.unparse(node.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple)
        if all(isinstance(one, ast.Constant) for one in node.iter.elts)
    }


def _is_put_together(said: ast.expr, words: set[str]) -> bool:
    match said:
        case ast.JoinedStr(values=parts):
            filled = [part.value for part in parts if isinstance(part, ast.FormattedValue)]
            return not all(_is_a_word(part, words) for part in filled)
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
            return not (_is_a_word(left, words) and _is_a_word(right, words))
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format" | "join")):
            return True
    return False


def _is_a_word(part: ast.expr, words: set[str]) -> bool:
    """Whether it can be nothing but what the code says itself."""
    match part:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in words
        case ast.Call(func=ast.Attribute(value=said), args=[]):  # in small letters, say
            return _is_a_word(said, words)
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return _is_a_word(one, words) and _is_a_word(other, words)
    return False


def _name_of(called: ast.expr) -> str:
    match called:
        case ast.Attribute(attr="text", value=ast.Name(id=whose)) if whose not in (
            "sa",
            "sqlalchemy",
        ):
            return ""  # of a drawing, say
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def test_sql_is_never_put_together_from_values() -> None:
    assert broken_by(CODE, put_together) == {}


@pytest.mark.parametrize(
    "line",
    [
        "connection.execute(text(f'SELECT * FROM vote WHERE person = {person}'))",
        "connection.execute(text('DELETE FROM audit WHERE seq = ' + seq))",
        "connection.exec_driver_sql('PRAGMA user_version = %s' % version)",
        "cursor.executescript('DROP TABLE {}'.format(name))",
        "await session.scalar(f'SELECT {column} FROM rollback')",
    ],
)
def test_sql_that_is_put_together_is_found(line: str) -> None:
    assert put_together(ast.parse(f"async def planted():\n    {line}"))


# -- YAML -----------------------------------------------------------------------------------------


def loaded_unsafely(tree: ast.AST) -> Found:
    """The readings of YAML in *tree* that may make more than data."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("yaml.")
    ]
    return [ast.unparse(call) for call in calls if not _reads_data_alone(call)]


def _reads_data_alone(call: ast.Call) -> bool:
    name = _name_of(call.func)
    if name not in _YAML_READERS:
        return name not in _YAML_UNSAFE
    given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "Loader")]
    return any(_name_of(loader) in _YAML_SAFE for loader in given)


def test_yaml_makes_nothing_but_data() -> None:
    assert broken_by(CODE, loaded_unsafely) == {}


@pytest.mark.parametrize(
    "line",
    [
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text, yaml.UnsafeLoader)",
        "yaml.parse(text)",
        "yaml.full_load(text)",
    ],
)
def test_yaml_that_may_make_anything_is_found(line: str) -> None:
    assert loaded_unsafely(ast.parse(line))
