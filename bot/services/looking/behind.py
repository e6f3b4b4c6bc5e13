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
from bot.services.opening.ground import Ground
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from store.records import AppEnv, AuditDraft, Case, Finding, Rollback, Version

HOLDS = timedelta(hours=12)  # for how long an answer stands
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
        if ground is None or channel is None or self._opening.by_hand_only(ground.live):
            await self._telling.only_facts(case, found.behind(finding, there, 0), chart=chart)
            return
        candidate = numbered(ground.history, target.number)
        same = candidate.meaning == ground.live.meaning  # somebody went back meanwhile
        if same or await self._answered(ground, candidate):
            await self._telling.only_facts(case, found.behind(finding, there, 0), chart=chart)
            return
        if await self._is_ours_to_say(there):
            theirs, before = await self._case_of(there, channel, case)
            told = found.with_versions(found.for_caller(finding, case), ground.history)
            await self._suggest(theirs, ground, candidate, told, before, chart, rate=rate)
        async with self._store.read() as tx:
            opened = await tx.rollbacks.open_of(there)
        said = found.behind(finding, there, opened.id if opened is not None else 0)
        await self._telling.only_facts(case, said, again=LOOK_AGAIN, chart=chart)

    async def _answered(self, ground: Ground, candidate: Version) -> bool:
        """Whether this very step was proposed lately and has ended, however it did.

        Its case may be closed since; what people said no to is not asked again for being asked
        about from another app.
        """
        where = ground.live.where
        async with self._store.read() as tx:
            lately = await tx.rollbacks.opened(since=await tx.now() - HOLDS, where=where)
        return any(
            not one.open
            and one.requested_by == quorum.KEYTURN
            and not one.drill
            and any(
                (leg.from_version_id, leg.to_version_id) == (ground.live.id, candidate.id)
                for leg in one.legs
            )
            for one in lately
        )

    async def _is_ours_to_say(self, there: AppEnv) -> bool:
        """Whether nothing is known or due of *there* by itself: its own alerts come first."""
        async with self._store.read() as tx:
            if await tx.rollbacks.open_of(there) is not None:
                return False
            cases = [case for case in await tx.cases.open_cases() if case.where == there]
            alarmed = [case for case in cases if await tx.alerts.of_case(case.id)]
        return not alarmed and all(case.assess_at is None for case in cases)

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
