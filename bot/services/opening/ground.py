"""What a rollback would stand on, as it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.undone import undoes
from store.records import Version


@dataclass(frozen=True)
class Ground:
    """What a rollback would stand on, read just now."""

    live: Version
    history: Sequence[Version]
    condemned: frozenset[str]

    def takes_reason(self, candidate: Version) -> bool:
        """Whether going to *candidate* goes to what is condemned, or back where we came from."""
        return candidate.meaning in self.condemned or undoes(self.history, self.live, candidate)


@dataclass(frozen=True)
class Looked:
    """What a look at an alert brought beside the candidate; of a person's request nothing.

    `rate` is the app's in requests a second, None where it was not measured.
    """

    suspect_id: int | None = None
    rate: float | None = None


NOT_LOOKED = Looked()
