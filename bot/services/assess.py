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

from bot.domain import onset, quorum
from bot.domain.candidate import Choice, choose
from bot.domain.policy import Policy
from bot.domain.words import FindingCode, NoteCode, OutcomeCode
from bot.errors import (
    AskAgain,
    KeyturnPaused,
    Refused,
    RollbackOpen,
    SecretsGone,
    SecretsOutOfReach,
    UpstreamDown,
    UpstreamRefused,
    ValuesMasked,
)
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services import found
from bot.services.eligibility import Eligibility
from bot.services.opening import Ground, Opening, Rules, entry, open_in
from bot.services.outgoing import card_row, moved, note_row
from bot.services.request import Request
from bot.services.snapshot import Snapshot
from store.records import (
    Case,
    Finding,
    Firing,
    FiringStatus,
    Json,
    NewRollback,
    OpenRollbackExists,
    Rollback,
    Stale,
    Unavailable,
    Version,
)

log = logging.getLogger(__name__)
LOOK_SOON = timedelta(seconds=5)  # after Slack, or whom a person's request needs, did not answer
LOOK_AGAIN = timedelta(seconds=30)  # after a target could not be read
AFTER_A_FAILURE = timedelta(minutes=5)  # of ours, which seldom mends itself
AT_ONCE = 4  # cases of one target
AT_ONCE_IN_ALL = 16
WINDOW = 500  # due cases among which targets take turns
_PUT_OFF = frozenset({FindingCode.FROZEN, FindingCode.COOLING_DOWN})


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
    ) -> None:
        self._store = store
        self._targets = targets
        self._directory = directory
        self._eligibility = Eligibility(directory)
        self._snapshot = snapshot
        self._rules = rules
        self._opening = opening
        self._request = request

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
            await self._only_facts(
                case, found.not_looked(case, FindingCode.PAUSED), again=LOOK_AGAIN
            )
        return bool(due)

    async def _look(self, case: Case) -> None:
        facts = {"case": case.id, "app": str(case.where)}
        try:
            await self._assess(case)
        except Unavailable:
            raise  # the database is gone, for every case
        except UpstreamDown as error:  # Slack; nobody can be told of it there
            log.warning("case not looked at", extra={**facts, "error": error.code})
            await self._put_off(case)
        except Exception:  # the edge of a case: whatever is wrong with it holds up no other
            log.exception("case not looked at", extra=facts)
            failed = found.not_looked(case, FindingCode.LOOK_FAILED)
            await self._only_facts(case, failed, again=AFTER_A_FAILURE)

    async def _put_off(self, case: Case) -> None:
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.revision == case.revision:
                later = replace(current, assess_at=await tx.now() + LOOK_SOON)
                await tx.cases.save(later, was=current.revision)

    async def _assess(self, case: Case) -> None:
        async with self._store.read() as tx:
            firings = await tx.alerts.of_case(case.id)
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
            open_one = await tx.rollbacks.open_of(case.where)
            done = await tx.rollbacks.completed(case.where, since=case.opened_at)
        elsewhere = [
            one for one in done if one.case_id != case.id and not _began_after(one, firings)
        ]
        if open_one is not None and open_one.case_id != case.id:
            await self._only_facts(case, found.part_of(case, open_one), again=LOOK_AGAIN)
        elif rollback is not None and rollback.open:
            await self._not_due(case)  # its card says all
        elif elsewhere:
            await self._only_facts(case, found.taken_back(case, elsewhere[-1]))
        elif (
            rollback is not None
            and _lost_its_ground(rollback)
            and await self._renew(rollback, over=bool(firings))
        ):
            return
        elif firings:
            await self._look_back(case, firings, rollback)
        else:
            await self._not_due(case)  # a person asked, and may ask again

    async def _look_back(
        self, case: Case, firings: Sequence[Firing], rollback: Rollback | None
    ) -> None:
        """Look for the change behind *firings*; *rollback* is the one that ended before.

        What was put off for a long time is looked at only if something still fires.
        """
        fires = any(firing.status is FiringStatus.FIRING for firing in firings)
        if case.finding is not None and case.finding.code in _PUT_OFF and not fires:
            await self._not_due(case)
            return
        try:
            await self._snapshot.refresh(case.where)
        except (UpstreamDown, UpstreamRefused) as error:
            await self._not_readable(case, error)
            return
        ground = await self._opening.ground(case.where)
        if ground is None:
            await self._only_facts(case, found.not_looked(case, FindingCode.NO_HISTORY))
            return
        choice = await self._choose(case, ground, firings)
        finding = found.of_choice(choice, firings)
        if choice.candidate is None:
            await self._only_facts(case, finding)
        elif self._opening.by_hand_only(ground.live):
            await self._only_facts(case, found.by_hand(finding, ground.live))
        else:
            await self._people(case, ground, choice.candidate, finding, rollback)

    async def _people(
        self,
        case: Case,
        ground: Ground,
        candidate: Version,
        finding: Finding,
        rollback: Rollback | None,
    ) -> None:
        """Suggest *candidate* to the people who may approve it, if there is a way to ask them."""
        rules = self._rules.policy(case.where)
        if await self._not_now(case, rules, finding):
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
            await self._only_facts(case, unknown, again=LOOK_AGAIN)
            return
        if shared:
            await self._only_facts(case, found.not_looked(case, FindingCode.SHARED_CHANNEL))
            return
        try:
            new = await self._opening.new(case.where, ground, candidate, snapshot)
        except (SecretsOutOfReach, SecretsGone) as error:
            system = self._targets.of(case.where)[0].name
            await self._only_facts(case, found.without_secrets(case, error, candidate, system))
            return
        except ValuesMasked as error:
            await self._only_facts(case, found.values_masked(finding, ground.live, error))
            return
        except (UpstreamDown, UpstreamRefused) as error:
            await self._not_readable(case, error)
            return
        if found.rejected(rollback, new):
            await self._only_facts(case, found.rejected_before(finding))
        else:
            await self._suggest(case, new, finding)

    async def _not_now(self, case: Case, rules: Policy, finding: Finding) -> bool:
        """Show facts alone in a freeze, and when going back has not helped before."""
        async with self._store.read() as tx:
            now = await tx.now()
            before = await tx.rollbacks.completed(case.where, since=now - rules.cool_down)
        ends = [rollback.finished_at for rollback in before if rollback.finished_at is not None]
        if (until := rules.freeze.until(now)) is not None:
            facts = found.frozen(finding, until)
        elif (until := rules.cools_down_until(ends)) is not None:
            facts = found.cooling_down(
                finding, count=len(ends), cool_down=rules.cool_down, until=until
            )
        else:
            return False
        await self._only_facts(case, facts, again=max(until - now, LOOK_AGAIN))
        return True

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

    async def _choose(self, case: Case, ground: Ground, firings: Sequence[Firing]) -> Choice:
        """Choose among the versions that could answer anybody: one without nodes could not."""
        unsound = set(ground.condemned)
        start = onset.began(firings, before=case.finding, history=ground.history)
        while True:
            choice = choose(
                ground.history,
                live=ground.live,
                condemned=frozenset(unsound),
                earliest_starts_at=start,
                waited=self._rules.waited,
                lookback=self._rules.lookback,
            )
            if choice.candidate is None or not await self._opening.empty(choice.candidate):
                return choice
            unsound.add(choice.candidate.meaning)

    async def _suggest(self, case: Case, new: NewRollback, finding: Finding) -> None:
        try:
            async with self._store.write() as tx:
                current = await tx.cases.get(case.id, lock=True)
                if current.revision != case.revision:
                    return  # another process looked at it, or more alerts came: it stays due
                await open_in(tx, current, new, finding, user_id=quorum.KEYTURN)
        except KeyturnPaused:
            return  # it stays due
        except OpenRollbackExists:  # perhaps one of several apps, which has its card elsewhere
            await self._put_off(case)
        except Stale:
            await self._not_due(case)

    async def _not_readable(self, case: Case, error: UpstreamDown | UpstreamRefused) -> None:
        log.warning("target not read", extra={"app": str(case.where), "error": error.code})
        await self._only_facts(case, found.unreadable(case, error), again=LOOK_AGAIN)

    async def _only_facts(
        self, case: Case, finding: Finding, *, again: timedelta | None = None
    ) -> None:
        """Show what is known without a button.

        A rollback that ended is past then, unless it is why there is none now.
        """
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.revision != case.revision:
                return
            past = again is None and finding.code != FindingCode.REJECTED_BEFORE
            after = replace(
                current,
                finding=finding,
                assess_at=None if again is None else await tx.now() + again,
                rollback_id=None if past else current.rollback_id,
            )
            saved = await tx.cases.save(after, was=current.revision)
            new = not found.same_words(current.finding, finding)  # not again while a target is down
            if new:
                await tx.audit.append(
                    entry(saved, "case.no_suggestion", quorum.KEYTURN, finding=finding.code)
                )
            if new or saved.rollback_id != current.rollback_id:
                await tx.outbox.put(card_row(saved, f"case:{saved.id}:{saved.revision}"))

    async def _not_due(self, case: Case) -> None:
        """There is nothing to look for, or an open rollback whose card says all."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.assess_at is not None:
                await tx.cases.save(replace(current, assess_at=None), was=current.revision)


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
