"""Which versions of the apps that another one depends on answered together with one of its."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain import legs
from bot.ports.store import Store
from store.records import AppEnv

HISTORY = 200  # versions of an app among which the ones of that time are looked for


class Companions:
    """Reads what the store remembers; asks nobody."""

    def __init__(self, store: Store, *, depends_on: Mapping[str, Sequence[str]]) -> None:
        self._store = store
        self._depends_on = depends_on

    async def __call__(self, where: AppEnv, number: int) -> list[tuple[AppEnv, int]]:
        """Return each app behind *where* with its version of the time when *number* was live.

        Apps whose live version means the same as then are left out, and those without a stored
        version of that time. Empty where *number* is live or unknown.
        """
        async with self._store.read() as tx:
            later = await tx.versions.history(where, limit=HISTORY)
            until = legs.lived_until(later, number)
            if until is None:
                return []
            found = []
            for app in legs.behind(where.app, self._depends_on):
                there = AppEnv(app, where.env)
                history = await tx.versions.history(there, limit=HISTORY)
                then = legs.live_before(history, until)
                if then is not None and then.meaning != history[0].meaning:
                    found.append((there, then.number or 0))
        return found
