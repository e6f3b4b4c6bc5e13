"""A story as data: the steps in their order, what happens in each, and what people press."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bot.playground.story.scene import Scene

Happening = Callable[[Scene], Awaitable[object]]
Seen = Callable[[Scene], bool]
APPROVE, REJECT, ANOTHER = "rollback.approve", "rollback.reject", "rollback.another"


def nothing_to_see(_: Scene) -> bool:
    """Of a step that is over once it has happened."""
    return False


@dataclass(frozen=True)
class Move:
    """What somebody presses on a card; with *values* they fill in the form that opens, and send it.

    `values` are texts by the field's `action_id`; of radio buttons it is the value.
    """

    who: str
    action: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step: something `happens` outside, or people make `moves`.

    It is over when it has happened, or as soon as `seen` is true.
    """

    name: str
    title: str
    hint: str
    happens: Happening | None = None
    label: str = ""  # of the button that makes it happen
    moves: tuple[Move, ...] = ()
    seen: Seen = nothing_to_see


@dataclass(frozen=True)
class Tale:
    """A story. `end` says what came of it, when every step is over.

    `neighbours` are further apps in Dify; where a story is `measured`, Keyturn asks a Prometheus.
    """

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]
    end: str
    neighbours: tuple[str, ...] = ()
    measured: bool = False


def approves(who: str) -> tuple[Move, ...]:
    """Press Approve on the card."""
    return (Move(who, APPROVE),)
