"""Variables that are secret on one side of a difference: the other side's value is hidden too.

Somebody who turned a secret into a plain variable, or the other way round, has most likely left
its value in there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from store.records import Json

_LISTS = ("environment_variables", "conversation_variables")


def secret_idents(*sides: Json) -> frozenset[str]:
    """Return the ids and names of all variables that are secret in any of these lists."""
    return frozenset(
        ident
        for side in sides
        for variable in _objects(side)
        if variable.get("value_type") == "secret"
        for ident in _idents(variable)
    )


def is_private(variable: object, idents: frozenset[str]) -> bool:
    """Return whether the variable's id or name is one of *idents*."""
    return isinstance(variable, dict) and not idents.isdisjoint(_idents(variable))


def private_variables(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Json]:
    """Yield the variables, plain here, that are secret in the other of two contents."""
    for name in _LISTS:
        sides = before.get(name), after.get(name)
        idents = secret_idents(*sides)
        for side in sides:
            yield from (variable for variable in _objects(side) if is_private(variable, idents))


def _objects(variables: Json) -> Iterator[dict[str, Json]]:
    if isinstance(variables, list):
        yield from (variable for variable in variables if isinstance(variable, dict))


def _idents(variable: dict[str, Json]) -> set[str]:
    found = (variable.get("id"), variable.get("name"))
    return {ident for ident in found if isinstance(ident, str) and ident}
