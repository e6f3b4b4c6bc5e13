"""What a value may be: checks that are put together from smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A broken rule: where (a JSON pointer into what was checked) and what is wrong there."""

    pointer: str
    text: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.text}"


Check = Callable[[object, str], Iterator[Problem]]


def anything(value: object, at: str) -> Iterator[Problem]:
    """Whatever it is: what nobody looks at, or something else looks at."""
    yield from ()


def boolean(value: object, at: str) -> Iterator[Problem]:
    """True or false."""
    if not isinstance(value, bool):
        yield Problem(at, f"must be true or false, not {kind_of(value)}")


def number(low: int, high: int) -> Check:
    """A whole number, both ends included."""

    def check(value: object, at: str) -> Iterator[Problem]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield Problem(at, f"must be a whole number, not {kind_of(value)}")
        elif not low <= value <= high:
            yield Problem(at, f"must be {low} to {high}, not {value}")

    return check


def string(longest: int, *, shortest: int = 1) -> Check:
    """A string of so many characters, both ends included."""

    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield Problem(at, f"must be a string, not {kind_of(value)}")
        elif len(value) < shortest:
            yield Problem(at, "must not be empty")
        elif len(value) > longest:
            yield Problem(at, f"has {len(value)} characters, at most {longest} fit")

    return check


def one_of(*allowed: str) -> Check:
    """One of these words."""

    def check(value: object, at: str) -> Iterator[Problem]:
        if value not in allowed:
            yield Problem(at, f"must be {' or '.join(allowed)}, not {shown(value)}")

    return check


def listed(each: Check, low: int, high: int) -> Check:
    """A list of so many, both ends included, of which each passes."""

    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(at, f"must be a list, not {kind_of(value)}")
            return
        if not low <= len(value) <= high:
            yield Problem(at, f"has {len(value)} elements, {low} to {high} are allowed")
        for index, item in enumerate(value):
            yield from each(item, f"{at}/{index}")

    return check


def record(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    *,
    open_ended: bool = False,
) -> Check:
    """An object with these fields and, unless *open_ended*, no others."""
    must, known = dict(required or {}), {**(required or {}), **(optional or {})}

    def check(value: object, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(at, f"must be an object, not {kind_of(value)}")
            return
        for name in must.keys() - value.keys():
            yield Problem(at, f"lacks {name}")
        for name, inner in value.items():
            if name in known:
                yield from known[name](inner, f"{at}/{_token(name)}")
            elif not open_ended:
                yield Problem(f"{at}/{_token(name)}", "is not a known field here")

    return check


def typed(what: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` names which of *kinds* it must be."""

    def check(value: object, at: str) -> Iterator[Problem]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            yield Problem(at, f"must be an object, not {kind_of(value)}")
        elif not isinstance(kind, str) or kind not in kinds:
            yield Problem(f"{at}/type", f"{shown(kind)} is not a {what} that is allowed here")
        else:
            yield from kinds[kind](value, at)

    return check


def every(*checks: Check) -> Check:
    """What passes all of *checks*."""

    def check(value: object, at: str) -> Iterator[Problem]:
        for one in checks:
            yield from one(value, at)

    return check


def kind_of(value: object) -> str:
    """What a problem calls a value of a wrong kind."""
    return "null" if value is None else type(value).__name__


def shown(value: object) -> str:
    """*value* itself where it is short, else what kind of value it is."""
    return repr(value) if len(repr(value)) <= 40 else kind_of(value)


def _token(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
