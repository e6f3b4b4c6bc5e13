"""A case is due: look for the candidate, and open the rollback that people vote on.

An alert made it due, or the ground of a rollback changed. What a person asked for is opened again
for them; else Keyturn looks for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot import spans
from bot.domain import drill, legs, quorum
from bot.domain.words import FindingCode, NoteCode, OutcomeCode
from bot.errors import AskAgain, Refused, RollbackOpen, UpstreamDown, UpstreamRefused
from bot.ports.evidence import LookBack
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.looking import found
from bot.services.looking.behind import Behind
from bot.services.looking.gather import Gather
from bot.services.looking.judge import Judge, numbered
from bot.services.looking.practise import Practise
from bot.services.looking.ran import Ran
from bot.services.looking.suggest import Suggest
from bot.services.looking.telling import LOOK_AGAIN, Telling
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from bot.services.outgoing import moved, note_row
from bot.services.request import Request
from bot.services.snapshot import Snapshot
from store.records import (
    AppEnv,
    Case,
    Corrupt,
    Firing,
    FiringStatus,
    Json,
    Missing,
    Rollback,
    Unavailable,
)

log = logging.getLogger(__name__)
AFTER_A_FAILURE = timedelta(minutes=5)  # of ours, which seldom mends itself
MEASURED_MORE = timedelta(minutes=3)  # after a first look, in which others may turn too
MEASURE_AGAIN = timedelta(minutes=1)  # after what measures did not answer
AT_ONCE = 4  # cases of one target
AT_ONCE_IN_ALL = 16
WINDOW = 500  # due cases among which targets take turns
_PUT_OFF = frozenset({FindingCode.FROZEN, FindingCode.COOLING_DOWN, FindingCode.SUGGESTIONS_PAUSED})


class Assess:
    """Finds candidates; never decides whether a rollback is executed."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        snapshot: Snapshot,
        rules: Rules,
        opening: Opening,
        request: Request,
        look_back: LookBack | None = None,
    ) -> None:
        self._store = store
        self._targets = targets
        self._snapshot = snapshot
        self._rules = rules
        self._opening = opening
        self._request = request
        self._telling = Telling(store)
        self._suggest = Suggest(store, targets, directory, rules, opening, self._telling)
        self._judge = Judge(Gather(store, rules, look_back, Ran(targets)), rules, opening)
        self._practise = Practise(store, rules, opening, self._suggest, self._telling)
        self._behind = Behind(store, rules, opening, self._suggest, self._telling)

    async def step(self) -> bool:
        """Look at cases that are due, some of every target at once; True if there was one.

        A case that cannot be looked at is put off, so that it holds up no other.
        """
        places = self._targets.all()
        async with self._store.read() as tx:
            paused = await tx.pause.current()
            due = await tx.cases.due(places, limit=WINDOW)
        if paused is not None:
            return await self._say_paused([case for case in due if case.id > paused.case_until])
        turn = _turn([(places[case.where][0].name, case) for case in due])
        ends = await asyncio.gather(*(self._look(case) for case in turn), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end
        return bool(turn)

    async def _say_paused(self, due: Sequence[Case]) -> bool:
        """Show that nothing is looked for now; each case stays due."""
        for case in due:
            await self._telling.only_facts(
                case, found.not_looked(case, FindingCode.PAUSED), again=LOOK_AGAIN
            )
        return bool(due)

    async def _look(self, case: Case) -> None:
        facts = {"case": case.id, "app": str(case.where)}
        try:
            with spans.span("propose", of=spans.case(case.id), app=str(case.where)):
                await self._assess(case)
        except Unavailable:
            raise  # the database is gone, for every case
        except UpstreamDown as error:  # Slack; nobody can be told of it there
            log.warning("case not looked at", extra={**facts, "error": error.code})
            await self._telling.put_off(case)
        except Exception:  # the edge of a case: whatever is wrong with it holds up no other
            log.exception("case not looked at", extra=facts)
            failed = found.not_looked(case, FindingCode.LOOK_FAILED)
            await self._telling.only_facts(case, failed, again=AFTER_A_FAILURE)

    async def _assess(self, case: Case) -> None:
        async with self._store.read() as tx:
            firings = await tx.alerts.of_case(case.id)
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
            open_one = await tx.rollbacks.open_of(case.where)
            done = await tx.rollbacks.completed(case.where, since=case.opened_at)
        elsewhere = [
            one
            for one in done
            if one.case_id != case.id and not one.drill and not _began_after(one, firings)
        ]
        if open_one is not None and open_one.case_id != case.id:
            await self._telling.only_facts(case, found.part_of(case, open_one), again=LOOK_AGAIN)
        elif rollback is not None and rollback.open:
            await self._telling.not_due(case)  # its card says all
        elif elsewhere:
            await self._telling.only_facts(case, found.taken_back(case, elsewhere[-1]))
        elif (
            rollback is not None
            and _lost_its_ground(rollback)
            and await self._renew(rollback, over=bool(firings))
        ):
            return
        elif firings:
            await self._look_back(case, firings, rollback)
        else:
            await self._telling.not_due(case)  # a person asked, and may ask again

    async def _look_back(
        self, case: Case, firings: Sequence[Firing], rollback: Rollback | None
    ) -> None:
        """Look for the change behind *firings*; *rollback* is the one that ended before.

        What was put off for a long time is looked at only if something still fires.
        """
        practised = drill.practised(firings)
        firings = firings if practised else drill.real(firings)
        fires = any(firing.status is FiringStatus.FIRING for firing in firings)
        if practised and not fires:  # the drill has ended
            await self._telling.not_due(case)
            return
        if case.finding is not None and case.finding.code in _PUT_OFF and not fires:
            await self._telling.not_due(case)
            return
        try:
            await self._snapshot.refresh(case.where)
        except (UpstreamDown, UpstreamRefused) as error:
            await self._telling.not_readable(case, error)
            return
        if practised:
            await self._practise(case, firings, rollback)
            return
        await self._refresh_behind(case.where)
        ground = await self._opening.ground(case.where)
        if ground is None:
            await self._telling.only_facts(case, found.not_looked(case, FindingCode.NO_HISTORY))
            return
        judged = await self._judge(case, ground, firings)
        finding = found.of_decision(judged, live=ground.live, firings=firings)
        if judged.decision.about == case.where:
            finding = found.with_versions(finding, ground.history)
        target = judged.decision.suggested
        chart = judged.chart
        if target is None:
            again = self._again(case, firings, late=judged.late) if fires else None
            await self._telling.only_facts(case, finding, again=again, chart=chart)
        elif target.where != case.where:
            await self._behind(case, target, finding, chart, rate=judged.rate(target.where))
        elif self._opening.by_hand_only(ground.live):
            by_hand = found.by_hand(finding, ground.live)
            await self._telling.only_facts(case, by_hand, chart=chart)
        else:
            candidate = numbered(ground.history, target.number)
            rate = judged.rate(case.where)
            await self._suggest(case, ground, candidate, finding, rollback, chart, rate=rate)

    def _again(self, case: Case, firings: Sequence[Firing], *, late: bool) -> timedelta | None:
        """When to look once more although nothing is suggested: more may be measured by then."""
        if late:
            return MEASURE_AGAIN
        newest = max(firing.id for firing in firings)
        first = case.finding is None or case.finding.newest_firing_id < newest
        return MEASURED_MORE if first and self._judge.measures else None

    async def _refresh_behind(self, where: AppEnv) -> None:
        """Read what the app calls; where that cannot be read, what is stored has to do."""
        behind = legs.behind(where.app, self._rules.depends_on)
        known = [AppEnv(app, where.env) for app in behind]
        ends = await asyncio.gather(
            *(self._snapshot.refresh(place) for place in known if place in self._targets.all()),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, UpstreamDown | UpstreamRefused | Corrupt | Missing):
                log.warning("not read", extra={"app": str(where), "error": type(end).__name__})
            elif isinstance(end, BaseException):
                raise end

    async def _renew(self, rollback: Rollback, *, over: bool) -> bool:
        """Open again what a person asked for, or say in the thread why not.

        What nobody else has to approve is not: it would run on ground that nobody has seen. With
        *over* the case goes on without the rollback then, so that it is not tried again.

        Raises:
            UpstreamDown: Slack or the target cannot be read now.
        """
        try:
            if quorum.needed(rollback) == 0:
                raise AskAgain(f"rollback {rollback.id} needs no votes")
            await self._request.renew(rollback)
        except RollbackOpen:
            return True  # somebody asked meanwhile, or another process was quicker
        except (Refused, UpstreamRefused) as error:
            log.info("request not renewed", extra={"rollback": rollback.id, "why": error.code})
            slack_id, why = rollback.requested_slack_id, error.to_person()
            facts: dict[str, Json] = {"slack_id": slack_id, "text": why}
            async with self._store.write() as tx:
                case = await tx.cases.get(rollback.case_id, lock=True)
                note = note_row(case, NoteCode.NOT_RENEWED, facts, moved(rollback))
                await tx.outbox.put(note)
                if over and case.rollback_id == rollback.id:
                    await tx.cases.save(replace(case, rollback_id=None), was=case.revision)
            return False
        return True


def _began_after(rollback: Rollback, firings: Sequence[Firing]) -> bool:
    """Whether an alert began after *rollback* had ended: it is about something else."""
    ended = rollback.finished_at
    return ended is not None and any(firing.starts_at > ended for firing in firings)


def _lost_its_ground(rollback: Rollback) -> bool:
    """Whether a person's request ended only because of what changed around it."""
    changed = rollback.outcome in {OutcomeCode.LIVE_CHANGED, OutcomeCode.COPIED}
    return changed and rollback.requested_by != quorum.KEYTURN


def _turn(due: Sequence[tuple[str, Case]]) -> list[Case]:
    """The oldest ones of every target, so that one that hangs holds up its own cases alone."""
    taken: Counter[str] = Counter()
    turn: list[Case] = []
    for target, case in due:
        if taken[target] < AT_ONCE and len(turn) < AT_ONCE_IN_ALL:
            taken[target] += 1
            turn.append(case)
    return turn
