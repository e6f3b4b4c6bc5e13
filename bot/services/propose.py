"""From a case to a card: look for the candidate, and open the rollback that people vote on.

Two ways lead here: an alert made a case due, or a person asked for a version by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import approval, policy
from bot.domain.candidate import Choice, choose
from bot.domain.diff import compare
from bot.domain.policy import Policy
from bot.domain.secrets import expected, out_of_reach, plan
from bot.domain.words import FindingCode, OutcomeCode
from bot.errors import (
    AccountLocked,
    BotError,
    EmptyVersion,
    LoginRefused,
    NotAllowed,
    NothingToDo,
    RollbackOpen,
    SecretsOutOfReach,
    UnknownVersion,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.people import Directory, Member
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets
from bot.services.eligibility import Eligibility, facts_of
from bot.services.outdate import supersede
from bot.services.outgoing import card_row, moved, snippet_row
from bot.services.snapshot import Snapshot
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    Finding,
    Firing,
    Leg,
    NewRollback,
    OpenRollbackExists,
    PolicySnapshot,
    Rollback,
    Stale,
    State,
    Version,
)

log = logging.getLogger(__name__)
LOOK_AGAIN = timedelta(seconds=30)  # after a target could not be read
HISTORY = 200  # how many versions back a suspect or candidate is looked for


@dataclass(frozen=True)
class Rules:
    """The settings that proposing needs, as plain values."""

    policies: Mapping[str, Policy]  # by environment
    channels: Mapping[AppEnv, str]
    waited: timedelta  # the alert rules' usual `for`
    lookback: timedelta

    def policy(self, where: AppEnv) -> Policy:
        """The environment's policy; without one two votes are needed and nobody is eligible."""
        return self.policies.get(where.env, Policy())


@dataclass(frozen=True)
class _Ground:
    """What a rollback would stand on, read just now."""

    live: Version
    history: Sequence[Version]
    condemned: frozenset[str]


class Propose:
    """Finds candidates and opens rollbacks; never decides whether one is executed."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        snapshot: Snapshot,
        rules: Rules,
        *,
        nonce: Callable[[], str],
    ) -> None:
        self._store = store
        self._targets = targets
        self._directory = directory
        self._eligibility = Eligibility(directory)
        self._snapshot = snapshot
        self._rules = rules
        self._nonce = nonce

    # -- because of an alert --------------------------------------------------------------------

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
        ground = await self._ground(case.where)
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

    async def _choose(self, ground: _Ground, firings: Sequence[Firing]) -> Choice:
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
            if choice.candidate is None or not await self._empty(choice.candidate):
                return choice
            unsound.add(choice.candidate.meaning)

    async def _empty(self, version: Version) -> bool:
        async with self._store.read() as tx:
            return (await tx.versions.document(version.id)).empty_graph

    async def _suggest(
        self,
        case: Case,
        ground: _Ground,
        candidate: Version,
        finding: Finding,
        snapshot: PolicySnapshot,
    ) -> None:
        try:
            leg = await self._leg(case.where, ground.live, candidate)
        except SecretsOutOfReach as error:
            system = self._targets.of(case.where)[0].name
            facts = {"candidate": candidate.number, "names": list(error.names), "system": system}
            await self._only_facts(case, Finding(FindingCode.SECRETS_OUT_OF_REACH, facts))
            return
        new = NewRollback(
            case_id=case.id,
            nonce=self._nonce(),
            legs=(leg,),
            content_digest=approval.content_digest((leg,)),
            policy=snapshot,
            requested_by=approval.KEYTURN,
            requested_slack_id="",
        )
        try:
            async with self._store.write() as tx:
                current = await tx.cases.get(case.id, lock=True)
                if current.revision != case.revision:
                    return  # another process looked at it, or more alerts came: it stays due
                await self._open(tx, current, new, finding, user_id="keyturn")
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
                    _entry(saved, "case.no_suggestion", "keyturn", finding=finding.code)
                )
            await tx.outbox.put(card_row(saved, f"case:{saved.id}:{saved.revision}"))

    async def _not_due(self, case: Case) -> None:
        """There is nothing to look for, or an open rollback whose card says all."""
        async with self._store.write() as tx:
            current = await tx.cases.get(case.id, lock=True)
            if current.assess_at is not None:
                await tx.cases.save(replace(current, assess_at=None), was=current.revision)

    # -- because a person asked -----------------------------------------------------------------

    async def requested(
        self, where: AppEnv, number: int, *, by: Member, channel: str, response_url: str
    ) -> Rollback:
        """Open a rollback of *where* to version *number* for the person who asked.

        A rollback of the same app that is still being voted on is superseded: whoever picks
        another version becomes the requester of the new one.

        Raises:
            UnknownApp, UnknownVersion, NotAllowed, NothingToDo, EmptyVersion, RollbackOpen,
                SecretsOutOfReach: Nothing changed.
            UpstreamDown: Slack or the target cannot be read.
        """
        self._targets.of(where)
        rules = self._rules.policy(where)
        groups = await self._eligibility.groups(rules.reviewers, rules.requesters)
        if not policy.may_ask(
            facts_of(by), policy=rules.snapshot(), groups=groups, team_id=self._directory.team_id
        ):
            raise NotAllowed(f"{by.slack_id} may not ask for rollbacks of {where}")
        if await self._directory.shared_channel(self._rules.channels[where]):
            raise NotAllowed(f"the channel of {where} is shared with another organisation")
        await self._snapshot.refresh(where)
        ground = await self._ground(where)
        candidate = await self._numbered(where, number)
        if ground is None or candidate.meaning == ground.live.meaning:
            raise NothingToDo(f"{where} version {number} is what is live")
        if await self._empty(candidate):
            raise EmptyVersion(f"{where} version {number} has no nodes")
        snapshot = await self._eligibility.at_open(rules, requested_by=by.person)
        leg = await self._leg(where, ground.live, candidate)
        new = NewRollback(
            case_id=0,
            nonce=self._nonce(),
            legs=(leg,),
            content_digest=approval.content_digest((leg,)),
            policy=snapshot,
            requested_by=by.person,
            requested_slack_id=by.slack_id,
        )
        finding = Finding(
            FindingCode.REQUESTED,
            {"slack_id": by.slack_id, "candidate": number},
            candidate_id=candidate.id,
        )
        return await self._open_requested(where, new, finding, by)

    async def _open_requested(
        self, where: AppEnv, new: NewRollback, finding: Finding, by: Member
    ) -> Rollback:
        async with self._store.write() as tx:
            before = await tx.rollbacks.open_of(where)
            if before is not None:  # locked before its case, as everywhere
                before = await tx.rollbacks.get(before.id, lock=True)
            case = await tx.cases.open_for(
                where,
                channel=self._rules.channels[where],
                entry=_opened(where, by.slack_id),
            )
            if before is not None and before.open:
                if before.state is not State.PENDING_APPROVAL:
                    raise RollbackOpen(f"rollback {before.id} of {where} is {before.state}")
                case = await supersede(tx, before, OutcomeCode.OTHER_VERSION)
            return await self._open(
                tx, case, replace(new, case_id=case.id), finding, user_id=by.slack_id
            )

    # -- what both need -------------------------------------------------------------------------

    async def _open(
        self, tx: Transaction, case: Case, new: NewRollback, finding: Finding, *, user_id: str
    ) -> Rollback:
        """Open the rollback, present it, and queue its card: one transaction."""
        leg = new.legs[0]
        what = {
            "digest": new.content_digest,
            "from": leg.from_version_id,
            "to": leg.to_version_id,
            "expected_root": leg.expected_root,
            "finding": finding.code,
        }
        draft = await tx.rollbacks.open(
            new,
            open_for=timedelta(seconds=new.policy.open_for_s),
            entry=_entry(case, "rollback.open", user_id, **what),
        )
        case = await tx.cases.save(
            replace(case, finding=finding, assess_at=None, rollback_id=draft.id),
            was=case.revision,
        )
        shown = await tx.rollbacks.save(
            approval.present(draft),
            was=draft.revision,
            entry=_entry(case, "rollback.present", user_id, rollback=draft.id),
        )
        await tx.outbox.put(card_row(case, moved(shown)))
        await tx.outbox.put(snippet_row(case, shown))
        return shown

    async def _leg(self, where: AppEnv, live: Version, candidate: Version) -> Leg:
        async with self._store.read() as tx:
            live_document = await tx.versions.document(live.id)
            candidate_document = await tx.versions.document(candidate.id)
        leg = await asyncio.to_thread(
            _leg_between, where, live, live_document, candidate, candidate_document
        )
        if not live_document.secrets and not candidate_document.secrets:
            return leg
        if not await self._targets.of(where)[0].draft_secrets_only():
            return leg
        names = out_of_reach(expected(candidate_document, live_document), live_document)
        if names:
            raise SecretsOutOfReach(str(where), names)
        return replace(leg, secrets={**leg.secrets, "of_draft": True})

    async def _ground(self, where: AppEnv) -> _Ground | None:
        async with self._store.read() as tx:
            live = await tx.versions.newest(where)
            if live is None:
                return None
            return _Ground(
                live=live,
                history=await tx.versions.history(where, limit=HISTORY),
                condemned=await tx.versions.condemned(where),
            )

    async def _numbered(self, where: AppEnv, number: int) -> Version:
        async with self._store.read() as tx:
            version = await tx.versions.numbered(where, number)
            newest = await tx.versions.newest(where)
        if version is None:
            raise UnknownVersion(str(where), str(number), newest.number if newest else None)
        return version


def _leg_between(
    where: AppEnv,
    live: Version,
    live_document: Document,
    candidate: Version,
    candidate_document: Document,
) -> Leg:
    """What reviewers will be shown and bound to; takes a while for large documents."""
    wanted = expected(candidate_document, live_document)
    secrets = plan(candidate_document, live_document)
    return Leg(
        where=where,
        from_version_id=live.id,
        to_version_id=candidate.id,
        live_external_id=live.external_id,
        live_root=live_document.root,
        expected_root=wanted.root,
        change_digest=compare(live_document, wanted).digest,
        secrets={"kept": list(secrets.kept), "from_version": list(secrets.from_version)},
    )


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


def _opened(where: AppEnv, user_id: str) -> AuditDraft:
    return AuditDraft(
        user_id=user_id,
        action="case.open",
        resource=f"app/{where}",
        status="ok",
        what={"app": str(where)},
        ip_note="not passed on by Slack",
    )


def _entry(case: Case, action: str, user_id: str, **what: object) -> AuditDraft:
    return AuditDraft(
        user_id=user_id,
        action=action,
        resource=f"case/{case.id}",
        status="ok",
        what={"app": str(case.where), **what},
        ip_note="Keyturn itself" if user_id == "keyturn" else "not passed on by Slack",
    )
