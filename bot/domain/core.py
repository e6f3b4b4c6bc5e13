"""Core parameters: what of an app nobody should change unnoticed, and how a change of it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bot.domain.diff.changes import Change, ChangeList
from bot.domain.diff.label import clip
from store.records import Json

# Which model answers, and who moderates what it says. A node has its model at `model`, an agent's
# strategy in its parameters; an app without a workflow may have it at the top.
DEFAULT: Final = (
    "model/name",
    "model/provider",
    "model/value/model",
    "model/value/provider",
    "model_id",
    "sensitive_word_avoidance",
)
_LEAVES = 2_000  # of one value; what is larger holds no parameters
_VALUE, _SUBJECT = 60, 60


@dataclass(frozen=True)
class _Leaf:
    path: tuple[str, ...]
    before: Json
    after: Json


def told(changes: ChangeList, core: Sequence[str]) -> list[str]:
    """Return one line for each of *changes* that touches one of *core*, in their order.

    An entry of *core* is a path, or a part of one, as a difference names it: `model/name` is
    the field of any node. Of what was added or removed as a whole its fields are looked at.
    """
    wanted = [tuple(entry.split("/")) for entry in core]
    return [line for change in changes.changes for line in _lines(change, wanted)]


def _lines(change: Change, wanted: Sequence[tuple[str, ...]]) -> Iterator[str]:
    here = tuple(change.where.split("/"))
    for leaf in islice(_leaves(change.before, change.after), _LEAVES):
        whole = (*here, *leaf.path)
        found = next((entry for entry in wanted if _has(whole, entry)), None)
        if found is not None:
            place = "/".join(whole[_at(whole, found) :])
            subject = clip(change.subject, _SUBJECT)
            yield f"{subject} · {place}: {_said(leaf.before)} → {_said(leaf.after)}"


def _leaves(before: Json, after: Json, path: tuple[str, ...] = ()) -> Iterator[_Leaf]:
    """Yield where two values differ, field by field; a missing one is None."""
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = (side if isinstance(side, dict) else {} for side in (before, after))
        for key in sorted({*old, *new}):
            yield from _leaves(old.get(key), new.get(key), (*path, str(key)))
    elif before != after:
        yield _Leaf(path, before, after)


def _has(steps: tuple[str, ...], entry: tuple[str, ...]) -> bool:
    return any(steps[n : n + len(entry)] == entry for n in range(len(steps)))


def _at(steps: tuple[str, ...], entry: tuple[str, ...]) -> int:
    return next(n for n in range(len(steps)) if steps[n : n + len(entry)] == entry)


def _said(value: Json) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, _VALUE)
