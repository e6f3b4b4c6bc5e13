"""An alert made a case due: look for the candidate, and open the rollback that people vote on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain import approval
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
    OpenRollbackExists,
    PolicySnapshot,
    Stale,
    Version,
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
        if not firings:  # a person asked, and may ask again
            await self._not_due(case)
            return
        try:
            await self._snapshot.refresh(case.where)
        except (UpstreamDown, UpstreamRefused) as error:
            log.warning("target not read", extra={"app": str(case.where), "error": error.code})
            await self._only_facts(case, _unreadable(error), again=LOOK_AGAIN)
            return
        ground = await self._opening.ground(case.where)
        if ground is None:
            await self._only_facts(case, Finding(FindingCode.NO_HISTORY, {}))
            return
        choice = await self._choose(ground, firings)
        finding = _finding(choice)
        if choice.candidate is None:
            await self._only_facts(case, finding)
        elif await self._directory.shared_channel(case.channel):
            await self._only_facts(case, Finding(FindingCode.SHARED_CHANNEL, {}))
        else:
            snapshot = await self._eligibility.at_open(
                self._rules.policy(case.where), requested_by=approval.KEYTURN
            )
            await self._suggest(case, ground, choice.candidate, finding, snapshot)

    async def _choose(self, ground: Ground, firings: Sequence[Firing]) -> Choice:
        """Choose among the versions that could answer anybody: one without nodes could not."""
        unsound = set(ground.condemned)
        while True:
            choice = choose(
                ground.history,
                live=ground.live,
                condemned=frozenset(unsound),
                earliest_starts_at=min(firing.starts_at for firing in firings),
                waited=self._rules.waited,
                lookback=self._rules.lookback,
            )
            if choice.candidate is None or not await self._opening.empty(choice.candidate):
                return choice
            unsound.add(choice.candidate.meaning)

    async def _suggest(
        self,
        case: Case,
        ground: Ground,
        candidate: Version,
        finding: Finding,
        snapshot: PolicySnapshot,
    ) -> None:
        new = await self._opening.new(case.where, ground, candidate, snapshot)
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
        """Show what is known without a button."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.revision != case.revision:
                return
            now = await tx.now()
            after = replace(
                current, finding=finding, assess_at=now + again if again is not None else None
            )
            saved = await tx.cases.save(after, was=current.revision)
            if current.finding != finding:  # found again and again while a target is down
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


def _finding(choice: Choice) -> Finding:
    return Finding(
        code=choice.code,
        facts=choice.facts,
        onset_from=choice.onset_from,
        onset_to=choice.onset_to,
        suspect_id=choice.suspect.id if choice.suspect else None,
        candidate_id=choice.candidate.id if choice.candidate else None,
    )


def _unreadable(error: UpstreamDown | UpstreamRefused) -> Finding:
    login = isinstance(error, LoginRefused | AccountLocked)
    code = FindingCode.TARGET_LOGIN_REFUSED if login else FindingCode.TARGET_UNREADABLE
    return Finding(code, {"system": error.system})
