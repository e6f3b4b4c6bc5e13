"""How well decisions on recorded incidents did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.domain.verdict.incident import Change
from bot.domain.verdict.recorded import Recorded, Truth


@dataclass
class Count:
    """How many of some decisions were right."""

    right: int = 0
    all: int = 0

    def add(self, right: bool) -> None:
        self.right += right
        self.all += 1

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None where nothing was counted."""
        return self.right / self.all if self.all else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share (Wilson 1927); None where nothing was counted."""
        if not self.all:
            return None
        from scipy.stats import binomtest

        found = binomtest(self.right, self.all).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)


class Score:
    """How well decisions did, as counted by `add`.

    Precision is over the suggestions, recall over the incidents with a version to go back to,
    top-1 over all that have a truth, and `false_rollbacks` are the suggestions where none would
    have helped.
    """

    def __init__(self) -> None:
        self.precision = Count()
        self.recall = Count()
        self.top1 = Count()
        self.false_rollbacks = Count()
        self.by_kind: dict[str, Count] = {}
        self.not_scored = 0

    def add(self, recorded: Recorded, target: Change | None) -> bool | None:
        """Count one decision; whether it was right, None where nobody knows the truth."""
        truth = recorded.truth
        if truth is None:
            self.not_scored += 1
            return None
        right = _right(truth, target)
        self.top1.add(right)
        self.by_kind.setdefault(recorded.kind, Count()).add(right)
        if target is not None:
            self.precision.add(right)
        if truth.where is not None:
            self.recall.add(right)
        else:
            self.false_rollbacks.add(target is not None)
        return right

    def figures(self) -> Iterator[tuple[str, Count]]:
        """The four figures by name, in the order in which people read them."""
        yield "precision", self.precision
        yield "recall", self.recall
        yield "top1", self.top1
        yield "false_rollbacks", self.false_rollbacks

    def kinds(self) -> Mapping[str, Count]:
        """Right and all by the kind that the record names, by name."""
        return dict(sorted(self.by_kind.items()))


def _right(truth: Truth, target: Change | None) -> bool:
    if target is None or truth.where is None:
        return target is None and truth.where is None
    return target.where == truth.where and target.content == truth.content
