"""A drill's case is due: what is gone back to is chosen without weighing, since nothing is wrong.

All else goes the way of every suggestion. Where there is nothing to vote on the drill has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain import drill
from bot.domain.words import FindingCode
from bot.ports.store import Store
from bot.services.drill.ending import unsuggested
from bot.services.looking import found
from bot.services.looking.suggest import Suggest
from bot.services.looking.telling import Telling
from bot.services.opening.ground import Ground
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from store.records import Case, Finding, Firing, Rollback, Version

_WOULD_WAIT = frozenset({FindingCode.FROZEN, FindingCode.SUGGESTIONS_PAUSED})  # as alerts do


class Practise:
    """Suggests what a drill goes back to."""

    def __init__(
        self, store: Store, rules: Rules, opening: Opening, suggest: Suggest, telling: Telling
    ) -> None:
        self._store = store
        self._rules = rules
        self._opening = opening
        self._suggest = suggest
        self._telling = telling

    async def __call__(
        self, case: Case, firings: Sequence[Firing], rollback: Rollback | None
    ) -> None:
        """Suggest it, or say why not; *rollback* is the one that ended before in *case*.

        Raises:
            UpstreamDown: Slack does not say who may approve.
        """
        newest = max(firing.id for firing in firings)
        ground = await self._opening.ground(case.where)
        to = await self._candidate(ground) if ground is not None else None
        why = self._why_not(case, ground)
        if ground is None or to is None or why:
            code = FindingCode.NO_DRILL
            finding = replace(found.not_looked(case, code, why=why), newest_firing_id=newest)
            await self._telling.only_facts(case, finding)
        else:
            finding = _finding(ground, to, firings, newest)
            await self._suggest(case, ground, to, finding, rollback, None)
        await self._end_without_one(case)

    def _why_not(self, case: Case, ground: Ground | None) -> str:
        if not self._rules.practises(case.where):
            return "not_marked"
        by_hand = ground is not None and self._opening.by_hand_only(ground.live)
        return "by_hand" if by_hand else ""

    async def _candidate(self, ground: Ground) -> Version | None:
        """What is gone back to; a version without nodes answers nobody, so it is passed over."""
        passed_over = set(ground.condemned)
        while True:
            to = drill.candidate(ground.history, ground.live, passed_over=passed_over)
            if to is None or not await self._opening.empty(to):
                return to
            passed_over.add(to.meaning)

    async def _end_without_one(self, before: Case) -> None:
        """End the drill where the look at *before* brought nothing to vote on."""
        async with self._store.write() as tx:
            case = await tx.cases.get(before.id, lock=True)
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
            looked = case.revision != before.revision and case.finding is not None
            if not looked or (rollback is not None and rollback.open):
                return
            waits = case.assess_at is not None
            if waits and case.finding is not None and case.finding.code not in _WOULD_WAIT:
                return  # for a target that does not answer: it is looked at again
            if waits:
                case = await tx.cases.save(replace(case, assess_at=None), was=case.revision)
            await unsuggested(tx, case)


def _finding(ground: Ground, to: Version, firings: Sequence[Firing], newest: int) -> Finding:
    began = max(firing.starts_at for firing in firings)
    facts = {
        "slack_id": drill.asked_by(firings),
        "suspect": ground.live.number,
        "candidate": to.number,
    }
    return Finding(
        code=FindingCode.DRILL,
        facts=facts,
        onset_from=began,
        onset_to=began,
        suspect_id=ground.live.id,
        candidate_id=to.id,
        newest_firing_id=newest,
    )
