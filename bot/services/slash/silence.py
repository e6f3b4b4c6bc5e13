"""`/rollback silence`: for a while Alertmanager tells nobody of an app's alerts; we hear them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.domain import drill, policy
from bot.domain import silencing as rules
from bot.domain.commands import Silence
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import NoAlertmanager, NotAllowed, NotSilenced, SilenceTooLong
from bot.ports.people import Directory
from bot.ports.store import Store, Transaction
from bot.services.alerting import silencing
from bot.services.asker import Asker
from bot.services.hearing import Hearing, Matter
from bot.services.sight import expand
from store.records import AppEnv, FiringStatus


class Silencing:
    """Silences alerts, and lets them be told again, for whoever may ask for a rollback."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        policy_of: Callable[[AppEnv], Policy],
        can: bool,
        nudge: Callable[[], None],
    ) -> None:
        """Take what judging needs; *can* says that there is an Alertmanager."""
        self._store = store
        self._directory = directory
        self._policy_of = policy_of
        self._can = can
        self._nudge = nudge

    async def __call__(
        self, hearing: Hearing, asked: Silence, asker: Asker, matter: Matter
    ) -> None:
        """Do it, and say so on the open card of the app.

        Raises:
            NotAllowed: They may not ask for a rollback here.
            NoAlertmanager, SilenceTooLong, NotSilenced: Why it cannot be done.
            UpstreamDown, UpstreamRefused: Slack does not say who they are.
        """
        await self._must_be_allowed(asker, asked.where)
        if not self._can:
            raise NoAlertmanager(str(asked.where))
        if timedelta(minutes=asked.minutes) > rules.LONGEST:
            raise SilenceTooLong(f"{asked.minutes} minutes")
        async with self._store.write() as tx:
            if asked.minutes:
                await self._begin(tx, hearing, asked, matter)
            else:
                await self._end(tx, hearing, asked, matter)
        self._nudge()

    async def _begin(
        self, tx: Transaction, hearing: Hearing, asked: Silence, matter: Matter
    ) -> None:
        """Silence what fires in the open case; without that, all of the app's alerts."""
        where, until = asked.where, await tx.now() + timedelta(minutes=asked.minutes)
        names = await _firing(tx, where)
        entry = hearing.entry(matter, "ok", until=until.isoformat(), alerts=list(names))
        who = hearing.item.slack_id
        await silencing.begin(tx, where, until, alerts=names, slack_id=who, entry=entry)
        told = {"where": str(where), "alerts": list(names), "until": until.isoformat()}
        await hearing.answer(tx, AnswerCode.YOU_SILENCED, told)
        await hearing.finish(tx, AnswerCode.YOU_SILENCED.value)

    async def _end(self, tx: Transaction, hearing: Hearing, asked: Silence, matter: Matter) -> None:
        silenced = await tx.silences.of(asked.where)
        if silenced is None:
            raise NotSilenced(str(asked.where))
        who, entry = hearing.item.slack_id, hearing.entry(matter, "ok")
        await silencing.end(tx, silenced, slack_id=who, entry=entry)
        await hearing.answer(tx, AnswerCode.YOU_UNSILENCED, {"where": str(asked.where)})
        await hearing.finish(tx, AnswerCode.YOU_UNSILENCED.value)

    async def _must_be_allowed(self, asker: Asker, where: AppEnv) -> None:
        its = self._policy_of(where).snapshot()
        expanded = await expand(self._directory, policy.asked_by(its))
        if policy.may_ask(asker.facts, policy=its, groups=expanded.groups, team_id=asker.team_id):
            return
        for error in expanded.refused.values():  # they may be in it: say so
            raise error
        raise NotAllowed(f"{asker.slack_id} may not silence {where}")


async def _firing(tx: Transaction, where: AppEnv) -> tuple[str, ...]:
    """The names of the alerts that fire in the open case of *where*, but for a drill's."""
    cases = [case for case in await tx.cases.open_cases() if case.where == where]
    alerts = [one for case in cases for one in drill.real(await tx.alerts.of_case(case.id))]
    firing = (one.alertname for one in alerts if one.status is FiringStatus.FIRING)
    return tuple(sorted({name for name in firing if name}))
