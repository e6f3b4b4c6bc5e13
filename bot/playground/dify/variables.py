"""Environment and conversation variables: what is stored, masked, kept and refused.

An echoed mask becomes the placeholder, and the placeholder keeps the draft's variable of the
same id (Dify 1.13.3 and later); of an id that the draft lacks the placeholder itself is stored.
Before 1.8.1 a mask shows the first six and the last two characters of a longer value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from bot.playground.dify.refusals import invalid_param

HIDDEN = "[__HIDDEN__]"
MASK = "*" * 20
_HIDDEN_WHOLLY = 8  # a shorter value would be shown by its first and last characters


@dataclass(frozen=True)
class Variable:
    """One variable; a secret's value is plain in here and never leaves but by an export."""

    id: str
    name: str
    value_type: str
    value: Any
    description: str = ""

    @property
    def secret(self) -> bool:
        return self.value_type == "secret"

    def shown(self, *, masks_wholly: bool = True) -> dict[str, Any]:
        """As the console shows it: a secret is masked, whatever its value."""
        return {
            "value_type": self.value_type,
            "id": self.id,
            "name": self.name,
            "value": self._mask(wholly=masks_wholly) if self.secret else self.value,
            "description": self.description,
        }

    def _mask(self, *, wholly: bool) -> str:
        value = str(self.value)
        if wholly or (value and len(value) <= _HIDDEN_WHOLLY):
            return MASK
        return f"{value[:6]}{'*' * 12}{value[-2:]}" if value else ""

    def exported(self, scope: str, *, include_secret: bool) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "value_type": self.value_type,
            "value": "" if self.secret and not include_secret else self.value,
            "description": self.description,
            "selector": [scope, self.name],
        }


def parse(items: object) -> tuple[Variable, ...]:
    """Read variables of a request body; refuses what Dify refuses."""
    if not isinstance(items, list):
        return ()
    return tuple(_parse_one(item) for item in items)


def _parse_one(item: object) -> Variable:
    if not isinstance(item, Mapping):
        raise invalid_param("variable is not an object")
    if not item.get("name"):
        raise invalid_param("missing name")
    if item.get("value_type") is None:
        raise invalid_param("missing value type")
    if item.get("value") is None:
        raise invalid_param("missing value")
    return Variable(
        id=item.get("id") or str(uuid4()),
        name=item["name"],
        value_type=item["value_type"],
        value=item["value"],
        description=item.get("description") or "",
    )


def keep_hidden(
    given: Iterable[Variable], origin: Iterable[Variable], *, unmask: bool = True
) -> tuple[Variable, ...]:
    """Return *given* with the values of *origin* where the placeholder stands.

    Only the name of a kept variable is taken over. Variables are stored by name, so of two
    with the same name the last one stays.
    """
    by_id = {variable.id: variable for variable in origin}
    stored: dict[str, Variable] = {}
    for variable in given:
        masked = unmask and variable.secret and variable.value == MASK
        asked = replace(variable, value=HIDDEN) if masked else variable
        if asked.value == HIDDEN and asked.id in by_id:
            asked = replace(by_id[asked.id], name=asked.name)
        stored[asked.name] = asked
    return tuple(stored.values())
