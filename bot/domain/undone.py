"""Going back to what was gone back from."""

from __future__ import annotations

from collections.abc import Sequence

from store.records import Version, VersionSource


def undoes(history: Sequence[Version], live: Version, candidate: Version) -> bool:
    """Whether *candidate* is what a rollback went back from whose result is *live*.

    That is every version between the one that *live* restored and *live* itself; the order of
    *history* does not matter.
    """
    if live.source is not VersionSource.ROLLBACK or live.number is None:
        return False
    before = {v.number: v for v in history if v.number is not None and v.number < live.number}
    restored = max((n for n, v in before.items() if v.meaning == live.meaning), default=0)
    left = {v.meaning for n, v in before.items() if n > restored}
    return candidate.meaning in left
