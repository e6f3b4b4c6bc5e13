"""What a rule measures: its expression without the comparison that makes it fire.

https://prometheus.io/docs/prometheus/latest/querying/operators/#binary-operator-precedence: a
comparison binds less than arithmetic and more than `and`, `unless` and `or`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.prometheus.promql import (
    Kind,
    NotPromQL,
    Token,
    inside_quotes,
    is_label,
    literally,
    tokens,
)

_TURNED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
_SETS = frozenset({"and", "unless", "or"})
_LITERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Side:
    """A query that shows what a rule looks at. More is worse in it.

    Where the rule fires on little, it is one minus that, which means something for a share alone:
    `share` says that only values from 0 to 1 are to be believed.
    """

    query: str
    share: bool = False


def measured_side(expression: str, *, where: Mapping[str, str]) -> Side | None:
    """Return what *expression* compares with a number, or None where that is not certain.

    Of `a > 1 and b > 2` it is `a`, whose value the alert has. A metric that stands alone is asked
    for the labels *where*, or for series that do not have them.
    """
    try:
        found = _first_operand(tokens(expression))
    except NotPromQL:
        return None
    compared = _compared(found) if found else None
    if compared is None:
        return None
    side, operator, limit = compared
    query = _narrowed(expression, side, where)
    number = _number(limit)
    if operator in {">", ">="} or (operator == "==" and number == 1):
        return Side(query)
    if number is None or not (0 < number <= 1 or (operator == "==" and number == 0)):
        return None
    return Side(f"1 - ({query})", share=True) if operator in {"<", "<=", "=="} else None


def _first_operand(found: Sequence[Token]) -> Sequence[Token] | None:
    """The operand whose values the whole has; None where there are two of them."""
    found = _without_brackets(found)
    words = [
        (number, token.text.lower())
        for number, token in enumerate(found)
        if token.kind is Kind.WORD and token.depth == found[0].depth
    ]
    between = [(number, word) for number, word in words if word in _SETS]
    if not between:
        return found
    if any(word == "or" for _, word in between):
        return None
    return _first_operand(found[: between[0][0]])


def _without_brackets(found: Sequence[Token]) -> Sequence[Token]:
    while len(found) > 1 and found[0].text == "(" and _closes(found) == len(found) - 1:
        found = found[1:-1]
    return found


def _closes(found: Sequence[Token]) -> int:
    """Where the bracket that *found* begins with is closed."""
    return next(n for n, t in enumerate(found) if n and t.depth == found[0].depth)


def _compared(found: Sequence[Token]) -> tuple[Sequence[Token], str, Sequence[Token]] | None:
    """(side, operator, number) of one comparison with a number, the side put first."""
    signs = [
        number
        for number, token in enumerate(found)
        if token.text in _TURNED and token.depth == found[0].depth
    ]
    if len(signs) != 1:
        return None
    left, operator, right = found[: signs[0]], found[signs[0]].text, found[signs[0] + 1 :]
    if _is_number(right) and _measures(left):
        return left, operator, right
    if _is_number(left) and _measures(right):
        return right, _TURNED[operator], left
    return None


def _measures(found: Sequence[Token]) -> bool:
    """True for what has a name in it, and is not the 0 or 1 of `> bool`."""
    return any(t.kind is Kind.WORD for t in found) and found[0].text.lower() != "bool"


def _is_number(found: Sequence[Token]) -> bool:
    """True for numbers with arithmetic between them, such as `14.4 * (1 - 0.999)`."""
    numbers = [token for token in found if token.kind is Kind.NUMBER]
    return bool(numbers) and all(
        _LITERAL.fullmatch(token.text) if token.kind is Kind.NUMBER else token.text in "+-*/%^()"
        for token in found
    )


def _number(found: Sequence[Token]) -> float | None:
    text = "".join(token.text for token in _without_brackets(found))
    return float(text) if _LITERAL.fullmatch(text) else None


def _narrowed(expression: str, side: Sequence[Token], where: Mapping[str, str]) -> str:
    """The text of *side*; of a metric with or without matchers only the series of *where*."""
    side = _without_brackets(side)
    text = expression[side[0].at : side[-1].end]
    matchers = ",".join(
        f'{name}=~"{inside_quotes(literally(value))}|"'
        for name, value in where.items()
        if is_label(name)
    )
    if not matchers or side[0].kind is not Kind.WORD:
        return text
    if len(side) == 1:
        return f"{text}{{{matchers}}}"
    if side[1].text != "{" or _closes(side[1:]) != len(side) - 2:
        return text
    more = "" if side[-2].text in {"{", ","} else ","
    return f"{text[:-1]}{more}{matchers}}}"
