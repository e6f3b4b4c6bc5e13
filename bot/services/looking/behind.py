"""The change that an alert is about was made in another app, which this one calls."""

from __future__ import annotations

from datetime import timedelta

from bot.domain import quorum
from bot.domain.chart.view import ChartView
from bot.domain.verdict.incident import Change
from bot.ports.store import Store
from bot.services.looking import found
from bot.services.looking.judge import numbered
from bot.services.looking.suggest import Suggest
from bot.services.looking.telling import Telling
from bot.services.opening import Opening, Rules
from store.records import AppEnv, AuditDraft, Case, Finding, Rollback

LOOK_AGAIN = timedelta(minutes=2)  # at what became of the rollback there


class Behind:
    """Suggests in the case of the app that was changed, and says so in the one that alerted."""

    def __init__(
        self, store: Store, rules: Rules, opening: Opening, suggest: Suggest, telling: Telling
    ) -> None:
        self._store = store
        self._rules = rules
        self._opening = opening
        self._suggest = suggest
        self._telling = telling

    async def __call__(
        self,
        case: Case,
        target: Change,
        finding: Finding,
        chart: ChartView | None,
        *,
        rate: float | None = None,
    ) -> None:
        """Suggest to go back to *target* in its own app's case; *finding* tells of it in *case*.

        *rate* is that app's in requests a second, None where it was not measured.

        Raises:
            UpstreamDown: Slack does not say who may approve there.
        """
        there = target.where
        ground = await self._opening.ground(there)
        channel = self._rules.channels.get(there)
        if ground is None or channel is None:  # it was taken out of the configuration meanwhile
            said = found.behind(finding, there, 0)
            await self._telling.only_facts(case, said, chart=chart)
            return
        theirs, before = await self._case_of(there, channel, case)
        if self._opening.by_hand_only(ground.live):
            told = found.for_caller(found.by_hand(finding, ground.live), case)
            await self._telling.only_facts(theirs, told, chart=chart)
        elif before is None or not before.open:
            candidate = numbered(ground.history, target.number)
            told = found.with_versions(found.for_caller(finding, case), ground.history)
            await self._suggest(theirs, ground, candidate, told, before, chart, rate=rate)
        async with self._store.read() as tx:
            opened = await tx.rollbacks.open_of(there)
        rollback = opened.id if opened is not None else 0
        said = found.behind(finding, there, rollback)
        await self._telling.only_facts(case, said, again=LOOK_AGAIN, chart=chart)

    async def _case_of(
        self, there: AppEnv, channel: str, caller: Case
    ) -> tuple[Case, Rollback | None]:
        """The case of *there*, opened because of *caller*, with its newest rollback."""
        opened_because = AuditDraft(
            user_id=quorum.KEYTURN,
            action="case.open",
            resource=str(there),
            status="ok",
            what={"app": str(there), "because_of": f"case/{caller.id}"},
            ip_note="Keyturn itself",
        )
        async with self._store.write() as tx:
            case = await tx.cases.open_for(there, channel=channel, entry=opened_because)
            before = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
        return case, before
