"""What an alert's evidence comes to: gathered here, weighed off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.domain import onset
from bot.domain.chart.view import ChartView
from bot.domain.rate import recent_rate
from bot.domain.verdict.belief import BELIEFS, Beliefs, Thresholds
from bot.domain.verdict.incident import Incident
from bot.services.looking.gather import Gather
from bot.services.opening import Ground, Opening, Rules
from store.records import AppEnv, Case, Firing, Version

if TYPE_CHECKING:
    from bot.domain.verdict.decide import Decision


@dataclass(frozen=True)
class Judgement:
    """A decision, and what it was made from.

    `chart` is None where nothing of the app was measured. `late` says that what measures did not
    answer in time, so that a later look may know more.
    """

    incident: Incident
    decision: Decision
    chart: ChartView | None
    late: bool

    def rate(self, where: AppEnv) -> float | None:
        """The requests a second of *where* just now; None where they were not measured."""
        return recent_rate(self.incident.series.get(where, ()), self.incident.decided_at)


class Judge:
    """Decides on the evidence that there is."""

    def __init__(self, gather: Gather, rules: Rules, opening: Opening) -> None:
        self._gather = gather
        self._opening = opening
        self._beliefs = beliefs(rules)
        self._thresholds = rules.thresholds

    async def __call__(self, case: Case, ground: Ground, firings: Sequence[Firing]) -> Judgement:
        """Judge what *firings* of *case* are about.

        A version without nodes could not answer anybody, so it is passed over.
        """
        firing = onset.began(firings, before=case.finding, history=ground.history)
        unsound = set(ground.condemned)
        while True:
            incident, measured = await self._gather(ground, firing, unsound=frozenset(unsound))
            decision, chart = await asyncio.to_thread(
                _decide, incident, self._beliefs, self._thresholds
            )
            late = measured is None and self._gather.measures
            judged = Judgement(incident, decision, chart, late)
            target = decision.suggested
            if target is None or target.where != case.where:
                return judged
            if not await self._opening.empty(numbered(ground.history, target.number)):
                return judged
            unsound.add(target.content)


def beliefs(rules: Rules) -> Beliefs:
    """What is believed before anything was seen, under *rules*."""
    return replace(BELIEFS, latest=rules.lookback.total_seconds())


def numbered(history: Sequence[Version], number: int) -> Version:
    """Version *number* of *history*, which has it."""
    return next(version for version in history if version.number == number)


def _decide(
    incident: Incident, of: Beliefs, thresholds: Thresholds
) -> tuple[Decision, ChartView | None]:
    from bot.domain.verdict.charted import charted  # with numpy and scipy, so late
    from bot.domain.verdict.decide import decide

    decision = decide(incident, of=of, thresholds=thresholds)
    shown = charted(incident, decision) if incident.series.get(incident.where) else None
    return decision, shown


def warm_up() -> None:
    """Import what a decision needs, which takes a second, before the first alert comes."""
    import bot.domain.verdict.reasons  # noqa: F401
