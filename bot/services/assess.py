"""An alert made a case due: look for the candidate, and open the rollback that people vote on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain import approval, onset
from bot.domain.candidate import Choice, choose
from bot.domain.words import FindingCode
from bot.errors import AccountLocked, BotError, LoginRefused, UpstreamDown, UpstreamRefused
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services.eligibility import Eligibility
from bot.services.opening import Ground, Opening, Rules, entry, open_in
from bot.services.outgoing import card_row
from bot.services.snapshot import Snapshot
from store.records import (
    Case,
    Finding,
    Firing,
    Json,
    NewRollback,
    OpenRollbackExists,
    Rollback,
    Stale,
    State,
)

log = logging.getLogger(__name__)
LOOK_AGAIN = timedelta(seconds=30)  # after a target could not be read


class Assess:
    """Finds candidates; never decides whether a rollback is executed."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        snapshot: Snapshot,
        rules: Rules,
        opening: Opening,
    ) -> None:
        self._store = store
        self._directory = directory
        self._eligibility = Eligibility(directory)
        self._snapshot = snapshot
        self._rules = rules
        self._opening = opening

    async def step(self) -> bool:
        """Look at one case that is due; True if there was one.

        Raises:
            BotError: Slack cannot say who the reviewers are, or the app is no longer configured;
                the case stays due and does not hold up others.
        """
        async with self._store.read() as tx:
            due = await tx.cases.due()
        blocked: BotError | None = None
        for case in due:
            try:
                await self._assess(case)
            except BotError as error:
                blocked = error
            else:
                return True
        if blocked is not None:
            raise blocked
        return False

    async def _assess(self, case: Case) -> None:
        async with self._store.read() as tx:
            firings = await tx.alerts.of_case(case.id)
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
        if not firings or (rollback is not None and rollback.open):
            await self._not_due(case)  # a person asked, and may ask again; or the card says all
            return
        try:
            await self._snapshot.refresh(case.where)
        except (UpstreamDown, UpstreamRefused) as error:
            log.warning("target not read", extra={"app": str(case.where), "error": error.code})
            await self._only_facts(case, _unreadable(case, error), again=LOOK_AGAIN)
            return
        ground = await self._opening.ground(case.where)
        if ground is None:
            await self._only_facts(case, _not_looked(case, FindingCode.NO_HISTORY))
            return
        choice = await self._choose(case, ground, firings)
        finding = _finding(choice, firings)
        if choice.candidate is None:
            await self._only_facts(case, finding)
        elif await self._directory.shared_channel(case.channel):
            await self._only_facts(case, _not_looked(case, FindingCode.SHARED_CHANNEL))
        else:
            snapshot = await self._eligibility.at_open(
                self._rules.policy(case.where), requested_by=approval.KEYTURN
            )
            new = await self._opening.new(case.where, ground, choice.candidate, snapshot)
            if _rejected(rollback, new):
                await self._only_facts(case, _rejected_before(finding))
            else:
                await self._suggest(case, new, finding)

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
                await open_in(tx, current, new, finding, user_id=approval.KEYTURN)
        except (OpenRollbackExists, Stale):
            await self._not_due(case)

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
            if not _says_the_same(current.finding, finding):  # again and again while one is down
                await tx.audit.append(
                    entry(saved, "case.no_suggestion", approval.KEYTURN, finding=finding.code)
                )
            await tx.outbox.put(card_row(saved, f"case:{saved.id}:{saved.revision}"))

    async def _not_due(self, case: Case) -> None:
        """There is nothing to look for, or an open rollback whose card says all."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.assess_at is not None:
                await tx.cases.save(replace(current, assess_at=None), was=current.revision)


def _says_the_same(before: Finding | None, after: Finding) -> bool:
    return before is not None and (before.code, before.facts) == (after.code, after.facts)


def _rejected(before: Rollback | None, new: NewRollback) -> bool:
    """Whether people said no to exactly this: they are not asked again by us."""
    return (
        before is not None
        and before.state is State.REJECTED
        and before.content_digest == new.content_digest
    )


def _rejected_before(finding: Finding) -> Finding:
    facts = {name: finding.facts[name] for name in ("suspect", "candidate")}
    return replace(finding, code=FindingCode.REJECTED_BEFORE, facts=facts)


def _finding(choice: Choice, firings: Sequence[Firing]) -> Finding:
    return Finding(
        code=choice.code,
        facts=choice.facts,
        onset_from=choice.onset_from,
        onset_to=choice.onset_to,
        suspect_id=choice.suspect.id if choice.suspect else None,
        candidate_id=choice.candidate.id if choice.candidate else None,
        newest_firing_id=max(firing.id for firing in firings),
    )


def _not_looked(case: Case, code: FindingCode, **facts: Json) -> Finding:
    """What is in the way; which alerts were looked at, and for which onset, stays as it was."""
    before = case.finding or Finding(code, {})
    return replace(before, code=code, facts=facts, suspect_id=None, candidate_id=None)


def _unreadable(case: Case, error: UpstreamDown | UpstreamRefused) -> Finding:
    login = isinstance(error, LoginRefused | AccountLocked)
    code = FindingCode.TARGET_LOGIN_REFUSED if login else FindingCode.TARGET_UNREADABLE
    return _not_looked(case, code, system=error.system)
