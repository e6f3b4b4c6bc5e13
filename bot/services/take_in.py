"""Gather the alerts that were stored into cases, one for each app@env."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import groupby

from bot import spans
from bot.domain import closing, drill, quorum
from bot.domain.words import NoteCode, OutcomeCode
from bot.ports.store import Store, Transaction
from bot.services.apart import Apart
from bot.services.closing import close_if_over
from bot.services.drill.ending import may_give_way, unsuggested
from bot.services.outdate import supersede
from bot.services.outgoing import card_row, note_row
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    Firing,
    FiringStatus,
    Json,
    Rollback,
    State,
)

log = logging.getLogger(__name__)
_PAGE = 200  # firings of unknown apps, looked at again in one step
_PACE_S = 5.0  # between two looks at what hardly ever is there: in a storm each look costs
_RESTS = 9  # times as long as a page of those took: there may be a hundred thousand of them
_LONGEST_REST_S = 0.5  # others come meanwhile


class TakeIn:
    """The worker's part: one case per app@env, whatever arrives."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[AppEnv, str],
        *,
        meaning: Callable[[Mapping[str, str]], AppEnv | None],
        nudge: Callable[[], None],
        monotonic: Callable[[], float] | None = None,
        rest: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        """Take what gathering needs.

        Args:
            store: Where alerts and cases are kept.
            channels: The watched apps, and where their cards go.
            meaning: The watched app that an alert's labels mean; None for no one.
            nudge: Called when cases or their cards may have changed. Looking through a storm of
                alerts that mean nobody makes no work for others.
            monotonic: Seconds, by which what is rare is looked at now and then; None for each step.
            rest: Waits so many seconds after a look at alerts that mean nobody; None for no rest.
        """
        self._store = store
        self._channels = channels
        self._meaning = meaning
        self._nudge = nudge
        self._looked_at = 0  # up to this id, unnamed firings were compared with these apps
        self._compared = 0  # up to this id, firings were compared with those before them
        self._monotonic = monotonic
        self._rest = rest
        self._due_at = 0.0
        self._naming = False  # there is more to be named than one step could

    async def step(self) -> bool:
        """Give every new firing to its case, and every change of one to its card."""
        apart = Apart(log)
        began_s = self._now_s()
        due, begun = self._is_due(), self._naming
        self._naming = due and await self._name()
        found = await self._assign(apart)
        if due and not begun:
            await self._end_outlived()
        if due and self._monotonic is not None:
            self._due_at = self._monotonic() + _PACE_S
        found |= await self._update(apart)
        if found:
            self._nudge()
        apart.tell()
        if self._naming and not found and self._rest is not None:
            await self._rest(min(_RESTS * (self._now_s() - began_s), _LONGEST_REST_S))
        return found or self._naming

    def _now_s(self) -> float:
        return self._monotonic() if self._monotonic is not None else 0.0

    def _is_due(self) -> bool:
        return self._monotonic is None or self._naming or self._monotonic() >= self._due_at

    async def _name(self) -> bool:
        """Look again at alerts of apps that were unknown when they came; true if there are more.

        An app may have been added to the settings since, or been tagged a moment ago.
        """
        async with self._store.read() as tx:
            unnamed = await tx.alerts.unnamed(after=self._looked_at, limit=_PAGE)
        if not unnamed:
            return False
        found: dict[AppEnv, list[int]] = {}
        for firing_id, labels in unnamed:
            where = self._meaning(labels)
            if where is not None and where in self._channels:
                found.setdefault(where, []).append(firing_id)
        if found:
            async with self._store.write() as tx:
                for where, ids in found.items():
                    await tx.alerts.name(ids, where)
        self._looked_at, _ = unnamed[-1]
        return bool(found) or len(unnamed) == _PAGE

    async def _assign(self, apart: Apart) -> bool:
        async with self._store.read() as tx:
            waiting = await tx.alerts.unassigned(self._channels)
        for where, firings in _by_app(waiting):
            with apart.piece("alerts not taken in", app=str(where)):
                await self._give(where, firings)
        return bool(waiting)

    async def _give(self, where: AppEnv, firings: Sequence[Firing]) -> None:
        if drill.real(firings):
            await self._make_way(where)
        with ExitStack() as until_committed:
            await self._gathered(until_committed, where, firings)

    async def _gathered(
        self, until_committed: ExitStack, where: AppEnv, firings: Sequence[Firing]
    ) -> None:
        async with self._store.write() as tx:
            case = await self._case(tx, where, firings)
            known = await tx.alerts.of_case(case.id)
            free = await tx.alerts.free([firing.id for firing in firings])
            new = [firing for firing in firings if firing.id in free]
            if not new:
                return  # another worker was quicker
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
            if rollback is not None and drill.real(new) and may_give_way(rollback):
                return  # a drill was opened in this moment: it makes way first
            await tx.alerts.assign([firing.id for firing in new], case.id)
            if spans.recorded():
                span = await _taken_in(tx, case, new, first=not known)
                until_committed.enter_context(span)
            if _has_to_go([*known, *new], rollback):
                await unsuggested(tx, case, why=OutcomeCode.DRILL_GAVE_WAY)
            another = rollback is not None and closing.another_incident(rollback, new)
            if rollback is None or another:
                case = await tx.cases.save(
                    replace(case, assess_at=await tx.now()), was=case.revision
                )
            if rollback is None:  # shown before it is looked at, which may take a while
                await tx.outbox.put(card_row(case, f"case:{case.id}:{case.revision}"))
                return
            # alerts of the incident before say nothing of this one
            names = set() if another else _firing_names(known)
            await tx.outbox.put(card_row(case, _cause(max(new, key=lambda firing: firing.id))))
            for firing in new:  # a storm of one alert is one sentence
                if firing.status is FiringStatus.FIRING and firing.alertname not in names:
                    await _say(tx, case, NoteCode.ALERT_ADDED, firing)
                names |= _firing_names([firing])

    async def _make_way(self, where: AppEnv) -> None:
        """End the drill that waits for votes in *where*: a real alert has come."""
        async with self._store.write() as tx:
            found = await tx.rollbacks.open_of(where)
            if found is not None and may_give_way(found):
                rollback = await tx.rollbacks.get(found.id, lock=True)
                if may_give_way(rollback):
                    await supersede(tx, rollback, OutcomeCode.DRILL_GAVE_WAY)

    async def _case(self, tx: Transaction, where: AppEnv, firings: Sequence[Firing]) -> Case:
        """The case for new *firings*: not one that ended well and only waits to be closed.

        Nor is it one that is over where a drill ends or begins: they have cases of their own.
        """
        channel, entry = self._channels[where], _opened(where, firings)
        case = await tx.cases.open_for(where, channel=channel, entry=entry)
        rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
        verified = rollback is not None and rollback.state is State.COMPLETED
        apart = drill.practised(await tx.alerts.of_case(case.id)) or drill.practised(firings)
        if (verified or apart) and await close_if_over(tx, case):
            return await tx.cases.open_for(where, channel=channel, entry=entry)
        return case

    async def _end_outlived(self) -> None:
        """End what fires by our word alone: its alert has begun again since.

        Alertmanager tells of an alert as it is by then. Of one that ends and begins again between
        two notifications it never says that it ended, and its case would stay open for ever.
        """
        async with self._store.read() as tx:
            ended_at, self._compared = await tx.alerts.outlived(after=self._compared)
        if ended_at:
            async with self._store.write() as tx:
                await tx.alerts.end(ended_at)

    async def _update(self, apart: Apart) -> bool:
        async with self._store.read() as tx:
            changed = await tx.alerts.changed()
        for case_id, firings in _by_case(changed):
            with apart.piece("end of alerts not told", case=case_id):
                await self._tell(case_id, firings)
        return bool(changed)

    async def _tell(self, case_id: int, firings: Sequence[Firing]) -> None:
        """Tell *firings*, changed since they were told; their card is drawn once for all."""
        async with self._store.write() as tx:
            await tx.alerts.seen([firing.id for firing in firings])
            over = [firing for firing in firings if firing.status is FiringStatus.RESOLVED]
            if not over:
                return
            case = await tx.cases.get(case_id)
            await tx.outbox.put(card_row(case, _cause(max(over, key=lambda firing: firing.id))))
            for alertname in sorted({firing.alertname for firing in over}):
                await _say_if_over(tx, case, alertname)


async def _taken_in(
    tx: Transaction, case: Case, new: Sequence[Firing], *, first: bool
) -> AbstractContextManager[object]:
    """The span in which *new* alerts come to *case*; with its *first* ones its trace begins."""
    came, digest = await tx.alerts.arrived([firing.id for firing in new])
    of, causes = spans.case(case.id), [spans.delivery(digest)] if digest else []
    if first:
        spans.happened("intake", of=of, first=True, began=came, causes=causes, app=str(case.where))
    return spans.span("take_in", of=of, began=came, causes=causes, alerts=len(new))


async def _say_if_over(tx: Transaction, case: Case, alertname: str) -> None:
    """Say that the alert no longer fires, once, when none of that name does."""
    named = [one for one in await tx.alerts.of_case(case.id) if one.alertname == alertname]
    if not _firing_names(named):
        newest = max(named, key=lambda firing: firing.id)
        await _say(tx, case, NoteCode.ALERT_RESOLVED, newest)


async def _say(tx: Transaction, case: Case, code: NoteCode, firing: Firing) -> None:
    facts: dict[str, Json] = {"alertname": firing.alertname}
    await tx.outbox.put(note_row(case, code, facts, f"firing:{firing.id}"))


def _has_to_go(firings: Sequence[Firing], rollback: Rollback | None) -> bool:
    """Whether a drill is in the way of something real in the case of *firings*.

    One that is being carried out is let through; its end makes room.
    """
    if rollback is not None and rollback.open and rollback.drill:
        return False
    real = bool(drill.real(firings)) or (rollback is not None and rollback.open)
    return real and drill.goes_on(firings)


def _cause(firing: Firing) -> str:
    return f"firing:{firing.id}:{firing.status}"


def _firing_names(firings: Sequence[Firing]) -> set[str]:
    """The names of the alerts that fire now, whatever their other labels are."""
    return {firing.alertname for firing in firings if firing.status is FiringStatus.FIRING}


def _by_app(firings: Sequence[Firing]) -> list[tuple[AppEnv, list[Firing]]]:
    known = [(firing.where, firing) for firing in firings if firing.where is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].starts_at))
    return [
        (where, [firing for _, firing in pairs])
        for where, pairs in groupby(known, key=lambda pair: pair[0])
    ]


def _by_case(firings: Sequence[Firing]) -> list[tuple[int, list[Firing]]]:
    assigned = [(firing.case_id, firing) for firing in firings if firing.case_id is not None]
    assigned.sort(key=lambda pair: (pair[0], pair[1].id))
    return [
        (case_id, [firing for _, firing in pairs])
        for case_id, pairs in groupby(assigned, key=lambda pair: pair[0])
    ]


def _opened(where: AppEnv, firings: Sequence[Firing]) -> AuditDraft:
    practised = drill.practised(firings)
    return AuditDraft(
        user_id=quorum.KEYTURN if practised else firings[0].source,
        action="case.open",
        resource=f"app/{where}",
        status="ok",
        what={
            "app": str(where),
            "fingerprints": sorted(f.fingerprint for f in firings),
            **drill.mark_of(firings),
        },
        ip_note="Keyturn itself" if practised else "a webhook; its sender is known by its token",
    )
