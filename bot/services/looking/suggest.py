"""A version to go back to is put before the people who may approve it."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.domain import quorum
from bot.domain.chart.view import ChartView
from bot.domain.policy import Policy
from bot.domain.words import FindingCode
from bot.errors import (
    KeyturnPaused,
    SecretsGone,
    SecretsOutOfReach,
    UpstreamDown,
    UpstreamRefused,
    ValuesMasked,
)
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.eligibility import Eligibility
from bot.services.looking import found
from bot.services.looking.telling import LOOK_AGAIN, Telling, below
from bot.services.opening.ground import Ground, Looked
from bot.services.opening.opening import Opening
from bot.services.opening.presenting import open_in
from bot.services.opening.rules import Rules
from store.records import Case, Finding, NewRollback, OpenRollbackExists, Rollback, Stale, Version

log = logging.getLogger(__name__)


class Suggest:
    """Opens rollbacks that Keyturn asks for itself, if there is a way to ask people."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        rules: Rules,
        opening: Opening,
        telling: Telling,
    ) -> None:
        self._store = store
        self._targets = targets
        self._directory = directory
        self._eligibility = Eligibility(directory)
        self._rules = rules
        self._opening = opening
        self._telling = telling

    async def __call__(
        self,
        case: Case,
        ground: Ground,
        candidate: Version,
        finding: Finding,
        rollback: Rollback | None,
        chart: ChartView | None,
        *,
        rate: float | None = None,
    ) -> None:
        """Suggest *candidate*, which *finding* speaks of; *rollback* is the one that ended before.

        *rate* is the app's in requests a second, None where it was not measured.

        Raises:
            UpstreamDown: Slack does not say who may approve.
        """
        rules, practised = self._rules.policy(case.where), finding.code == FindingCode.DRILL
        if await self._paused(case, finding, chart) or await self._not_now(case, rules, finding):
            return
        try:
            shared = await self._directory.shared_channel(case.channel)
            publisher = await self._opening.publisher(ground.live, rules)
            breaker = await self._opening.breaker(ground.live)
            snapshot = await self._eligibility.at_open(
                rules,
                requested_by=quorum.KEYTURN,
                publishers=[publisher],
                alone=[breaker] if breaker else [],
            )
        except UpstreamRefused as error:
            log.warning("reviewers unknown", extra={"app": str(case.where), "why": str(error)})
            code, upstream = FindingCode.REVIEWERS_UNKNOWN, error.upstream_code
            unknown = found.not_looked(case, code, upstream_code=upstream)
            await self._telling.only_facts(case, unknown, again=LOOK_AGAIN)
            return
        if shared:
            await self._telling.only_facts(case, found.not_looked(case, FindingCode.SHARED_CHANNEL))
            return
        try:
            looked = Looked(finding.suspect_id, rate)
            new = await self._opening.new(case.where, ground, candidate, snapshot, looked=looked)
            new = replace(new, drill=practised)
        except (SecretsOutOfReach, SecretsGone) as error:
            system = self._targets.of(case.where)[0].name
            await self._telling.only_facts(
                case, found.without_secrets(case, error, candidate, system)
            )
            return
        except ValuesMasked as error:
            await self._telling.only_facts(case, found.values_masked(finding, ground.live, error))
            return
        except (UpstreamDown, UpstreamRefused) as error:
            await self._telling.not_readable(case, error)
            return
        if found.rejected(rollback, new):
            await self._telling.only_facts(case, found.rejected_before(finding))
        else:
            await self._open(case, new, finding, chart)

    async def _paused(self, case: Case, finding: Finding, chart: ChartView | None) -> bool:
        """Show facts alone, all of them, while people have paused suggestions."""
        async with self._store.read() as tx:
            now, paused = await tx.now(), await tx.suggestions.paused(case.where)
        if paused is None:
            return False
        again = max(paused.until - now, LOOK_AGAIN)
        facts = found.suggestions_paused(finding, paused)
        await self._telling.only_facts(case, facts, again=again, chart=chart)
        return True

    async def _not_now(self, case: Case, rules: Policy, finding: Finding) -> bool:
        """Show facts alone in a freeze, and when going back has not helped before.

        Drills are not limited that way, and limit nothing.
        """
        async with self._store.read() as tx:
            now = await tx.now()
            before = await tx.rollbacks.completed(case.where, since=now - rules.cool_down)
        lasting = [] if finding.code == FindingCode.DRILL else [b for b in before if not b.drill]
        ends = [rollback.finished_at for rollback in lasting if rollback.finished_at is not None]
        if (until := rules.freeze.until(now)) is not None:
            facts = found.frozen(finding, until)
        elif (until := rules.cools_down_until(ends)) is not None:
            facts = found.cooling_down(
                finding, count=len(ends), cool_down=rules.cool_down, until=until
            )
        else:
            return False
        await self._telling.only_facts(case, facts, again=max(until - now, LOOK_AGAIN))
        return True

    async def _open(
        self, case: Case, new: NewRollback, finding: Finding, chart: ChartView | None
    ) -> None:
        try:
            async with self._store.write() as tx:
                current = await tx.cases.get(case.id, lock=True)
                if current.revision != case.revision:
                    return  # another process looked at it, or more alerts came: it stays due
                await open_in(tx, current, new, finding, user_id=quorum.KEYTURN)
                for row in below(current, finding, chart):
                    await tx.outbox.put(row)
        except KeyturnPaused:
            return  # it stays due
        except OpenRollbackExists:  # perhaps one of several apps, which has its card elsewhere
            await self._telling.put_off(case)
        except Stale:
            await self._telling.not_due(case)
