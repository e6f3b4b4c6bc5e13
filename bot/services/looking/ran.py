"""How the runs of some apps ended, asked of their targets: a help that nothing waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.verdict.incident import Change, Runs
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.target import RunResult, Targets
from store.records import AppEnv

log = logging.getLogger(__name__)
WITHIN = timedelta(seconds=3)
MOST_RUNS = 500  # of one app, the newest ones
MOST_APPS = 10  # the alerting app and the nearest behind it

Results = Mapping[AppEnv, Sequence[RunResult]]


class Ran:
    """Asks all targets at once; what does not answer within *within* ran nothing."""

    def __init__(self, targets: Targets, *, within: timedelta = WITHIN) -> None:
        self._targets = targets
        self._within = within

    async def __call__(self, places: Sequence[AppEnv], *, since: datetime) -> Results:
        """Return how the runs of *places* ended from *since* on; of the first `MOST_APPS`."""
        known = self._targets.all()
        asked = [place for place in places if place in known][:MOST_APPS]
        found = await asyncio.gather(*(self._of(place, since) for place in asked))
        return dict(zip(asked, found, strict=True))

    async def _of(self, where: AppEnv, since: datetime) -> Sequence[RunResult]:
        target, app_id = self._targets.all()[where]
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                return await target.run_results(app_id, since=since, most=MOST_RUNS)
        except TimeoutError:
            why = f"no answer within {self._within.total_seconds():.0f} s"
        except (UpstreamDown, UpstreamRefused) as error:
            why = str(error)
        log.warning("runs not counted", extra={"app": str(where), "error": why})
        return ()


def by_number(results: Results, changes: Iterable[Change]) -> dict[AppEnv, dict[int, Runs]]:
    """*results* by the numbers that the versions of *changes* have here.

    A version is known by when it was published, which is what the target calls it by. What ran
    of versions that are not among *changes* is left out.
    """
    numbers = {(change.where, change.at): change.number for change in changes}
    found: dict[AppEnv, dict[int, Runs]] = {}
    for where, results_here in results.items():
        for one in results_here:
            number = numbers.get((where, one.published_at))
            if number is not None:
                found.setdefault(where, {})[number] = Runs(one.succeeded, one.failed)
    return found
