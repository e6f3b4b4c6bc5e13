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
from bot.domain.verdict.incident import Change, Incident
from bot.services.looking.gather import Gather
from bot.services.opening.ground import Ground
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
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
        incident, measured = await self._gather(ground, firing, unsound=ground.condemned)
        late = self._gather.measures and (measured is None or case.where in measured.missing)
        mute: dict[AppEnv, frozenset[str]] = {}
        while True:
            decision, chart = await asyncio.to_thread(
                _decide, incident, self._beliefs, self._thresholds
            )
            target = decision.suggested
            if target is None or not await self._empty(target, ground):
                return Judgement(incident, decision, chart, late)
            mute[target.where] = mute.get(target.where, frozenset()) | {target.content}
            incident = replace(incident, mute=mute)

    @property
    def measures(self) -> bool:
        """Whether there is anything that measures."""
        return self._gather.measures

    async def _empty(self, target: Change, ground: Ground) -> bool:
        there = ground if target.where == ground.live.where else None
        there = there or await self._opening.ground(target.where)
        if there is None:
            return False
        return await self._opening.empty(numbered(there.history, target.number))


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
