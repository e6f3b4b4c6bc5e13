"""What a difference still needs to know of the nodes that are the same on both sides. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from store.records import Json


@dataclass(frozen=True)
class LeftOut:
    """The nodes that two contents have in common and that were left out of both.

    No node that is still in one of them has the id of one that was left out.
    """

    suspects: Sequence[Json] = ()  # all that may hold credentials, which are hidden elsewhere too
    nodes: Mapping[str, Json] = field(default_factory=dict)  # by id; connections are called by them


NOTHING = LeftOut()
