"""`/rollback drill`: an alert of our own goes the way that every alert goes.

What is checked here is what would end the drill at once, so that nobody waits for a card that
says no; the way itself checks all of it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.domain import drill, policy
from bot.domain.commands import Drill
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import (
    AlertIsReal,
    DrillUnderWay,
    Frozen,
    KeyturnPaused,
    NoDrillApp,
    NotAllowed,
    NotForDrills,
    NothingStored,
    NothingToPractise,
    RollbackOpen,
    SeveralDrillApps,
    SuggestionsOff,
)
from bot.ports.people import Directory
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker
from bot.services.claim import Practises
from bot.services.hearing import Hearing, Matter
from bot.services.sight import expand
from store.records import AppEnv, FiringStatus

log = logging.getLogger(__name__)
HISTORY = 200  # versions among which one is looked for to go back to
_WATCHED = 1_000


class Drilling:
    """Begins drills."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        practises: Practises,
        policy_of: Callable[[AppEnv], Policy],
        channel_of: Callable[[AppEnv], str],
        nudge: Callable[[], None],
    ) -> None:
        """Take what beginning needs.

        Args:
            store: Where the alert is kept.
            directory: Asked afresh who may ask.
            practises: Whether an app serves nobody, by the configuration.
            policy_of: The configured policy of an app@env.
            channel_of: Where the cards of an app@env go; "" where it is not watched.
            nudge: Called when the alert is stored.
        """
        self._store = store
        self._directory = directory
        self._practises = practises
        self._policy_of = policy_of
        self._channel_of = channel_of
        self._nudge = nudge

    async def __call__(
        self,
        hearing: Hearing,
        asked: Drill,
        asker: Asker,
        seen: Sequence[AppEnv],
        matter: Matter,
    ) -> None:
        """Begin a drill where it was *asked* for, else in the only drill app among those *seen*.

        Raises:
            Refused: Why not; nothing was begun.
            UpstreamDown, UpstreamRefused: Slack does not say who they are.
        """
        where = await self._where(asked, asker, seen)
        channel = self._channel_of(where)
        if not channel or await self._directory.shared_channel(channel):
            raise NotAllowed(f"no drill in {where}: its channel is shared, or it has none")
        async with self._store.write() as tx:
            await self._must_be_free(tx, where)
            delivery = drill.begun(where, by=asker.slack_id, at=await tx.now())
            await tx.alerts.take(delivery)
            told = {"app": str(where), "fingerprint": delivery.firings[0].fingerprint}
            told_of = replace(matter, resource=f"app/{where}", what={**matter.what, **told})
            await tx.audit.append(hearing.entry(told_of, "ok"))
            await hearing.answer(tx, AnswerCode.DRILL_BEGUN, {"where": str(where)})
            await hearing.finish(tx, AnswerCode.DRILL_BEGUN.value)
        log.info("drill begun", extra={"app": str(where)})
        self._nudge()

    async def _where(self, asked: Drill, asker: Asker, seen: Sequence[AppEnv]) -> AppEnv:
        if asked.where is not None and not await self._may_ask(asker, asked.where):
            raise NotAllowed(f"{asker.slack_id} may not ask for rollbacks of {asked.where}")
        if asked.where is not None and self._practises(asked.where):
            return asked.where
        if asked.where is not None:
            raise NotForDrills(str(asked.where))
        marked = [where for where in seen if self._practises(where)]
        theirs = [where for where in marked if await self._may_ask(asker, where)]
        if not theirs:
            raise NoDrillApp
        if len(theirs) > 1:
            raise SeveralDrillApps([str(where) for where in theirs])
        return theirs[0]

    async def _may_ask(self, asker: Asker, where: AppEnv) -> bool:
        rules = self._policy_of(where).snapshot()
        expanded = await expand(self._directory, policy.asked_by(rules))
        may = policy.may_ask(
            asker.facts, policy=rules, groups=expanded.groups, team_id=asker.team_id
        )
        if not may:
            for error in expanded.refused.values():  # they may be in it: say so
                raise error
        return may

    async def _must_be_free(self, tx: Transaction, where: AppEnv) -> None:
        """Raise the `Refused` that says what is in the way of a drill in *where*."""
        now = await tx.now()
        if await tx.pause.current() is not None:
            raise KeyturnPaused(f"no drill of {where} is begun now")
        if (until := self._policy_of(where).freeze.until(now)) is not None:
            raise Frozen(str(where), until)
        if (paused := await tx.suggestions.paused(where)) is not None:
            raise SuggestionsOff(str(where), paused.until)
        await _nothing_goes_on(tx, where)
        await _something_to_go_back_to(tx, where)


async def _nothing_goes_on(tx: Transaction, where: AppEnv) -> None:
    opened = await tx.rollbacks.open_of(where)
    if opened is not None and not opened.drill:
        raise RollbackOpen(f"rollback {opened.id} of {where} is open")
    watched = await tx.rollbacks.watched(limit=_WATCHED)
    watched = [one for one in watched if one.drill and one.leg_of(where) is not None]
    firings = await tx.alerts.unassigned([where])
    for case in await tx.cases.open_cases():
        firings += await tx.alerts.of_case(case.id) if case.where == where else []
    firing = [one for one in firings if one.status is FiringStatus.FIRING]
    if opened is not None or watched or drill.goes_on(firing):
        raise DrillUnderWay(str(where), watched=opened is None and bool(watched))
    if firing:
        raise AlertIsReal(str(where))


async def _something_to_go_back_to(tx: Transaction, where: AppEnv) -> None:
    live = await tx.versions.newest(where)
    if live is None:
        raise NothingStored(str(where))
    history = await tx.versions.history(where, limit=HISTORY)
    condemned = await tx.versions.condemned(where)
    if drill.candidate(history, live, passed_over=condemned) is None:
        raise NothingToPractise(str(where))
