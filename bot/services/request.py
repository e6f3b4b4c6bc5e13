"""A person asks for a version by name: open the rollback that others then vote on."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy, quorum
from bot.domain.words import FindingCode, OutcomeCode
from bot.errors import (
    AskedAlready,
    CondemnedHere,
    Frozen,
    NotAllowed,
    NothingToDo,
    RollbackOpen,
)
from bot.ports.people import Directory, Member
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets
from bot.services.eligibility import Eligibility, facts_of
from bot.services.opening import Opening, Rules, open_in
from bot.services.outdate import supersede
from bot.services.snapshot import Snapshot
from store.records import AppEnv, AuditDraft, Case, Finding, NewRollback, Rollback, State


class Request:
    """Opens rollbacks for people; never decides whether one is executed."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        snapshot: Snapshot,
        rules: Rules,
        opening: Opening,
    ) -> None:
        self._store = store
        self._targets = targets
        self._directory = directory
        self._eligibility = Eligibility(directory)
        self._snapshot = snapshot
        self._rules = rules
        self._opening = opening

    async def __call__(
        self,
        where: AppEnv,
        number: int,
        *,
        by: Member,
        channel: str,
        response_url: str,
        reason: str = "",
    ) -> Rollback:
        """Open a rollback of *where* to version *number* for the person who asked.

        Going to a version that was rolled back here before needs a *reason*.

        A rollback of the same app that is still being voted on is superseded: whoever picks
        another version becomes the requester of the new one.

        Raises:
            UnknownApp, UnknownVersion, NotAllowed, Frozen, NothingToDo, ByHandOnly, EmptyVersion,
            CondemnedHere, RollbackOpen, AskedAlready, SecretsOutOfReach, SecretsGone,
            ValuesMasked: Nothing changed.
            UpstreamDown, UpstreamRefused: Slack or the target cannot be read.
        """
        new, finding = await self._made(where, number, by, reason)
        async with self._store.write() as tx:
            before = await tx.rollbacks.open_of(where)
            if before is not None:  # locked before its case, as everywhere
                before = await tx.rollbacks.get(before.id, lock=True)
            case = await self._case(tx, where, by)
            if before is not None and before.open:
                _may_be_replaced(before, new)
                case = await supersede(tx, before, OutcomeCode.OTHER_VERSION)
            return await open_in(tx, case, new, _after(case, finding), user_id=by.slack_id)

    async def renew(self, ended: Rollback) -> Rollback:
        """Open *ended*, which lost its ground, on the new one: same requester, same candidate.

        Everything is looked up and judged afresh, as if they asked now; but it takes the place
        of nothing that was opened meanwhile.

        Raises:
            UnknownApp, UnknownVersion, NotAllowed, Frozen, NothingToDo, ByHandOnly, EmptyVersion,
            RollbackOpen: Nothing changed.
            UpstreamDown, UpstreamRefused: Slack or the target cannot be read.
        """
        where = ended.leg.where
        by = await self._directory.member(ended.requested_slack_id)
        async with self._store.read() as tx:
            candidate = await tx.versions.get(ended.leg.to_version_id)
        new, finding = await self._made(where, candidate.number or 0, by, ended.reason)
        async with self._store.write() as tx:
            case = await self._case(tx, where, by)
            if case.rollback_id != ended.id:
                raise RollbackOpen(f"case {case.id} of {where} has moved on")
            return await open_in(tx, case, new, _after(case, finding), user_id=quorum.KEYTURN)

    async def _made(
        self, where: AppEnv, number: int, by: Member, reason: str
    ) -> tuple[NewRollback, Finding]:
        """What is to be opened, if *by* may ask for it."""
        self._targets.of(where)
        rules = self._rules.policy(where)
        await self._may_ask(by, rules, where)
        async with self._store.read() as tx:
            until = rules.freeze.until(await tx.now())
        if until is not None:
            raise Frozen(str(where), until)
        if await self._directory.shared_channel(self._rules.channels[where]):
            raise NotAllowed(f"the channel of {where} is shared with another organisation")
        await self._snapshot.refresh(where)
        ground = await self._opening.ground(where)
        candidate = await self._opening.numbered(where, number)
        if ground is None:
            raise NothingToDo(f"{where} has no version that is live")
        for objection in await self._opening.objections(where, ground, candidate):
            raise objection
        if candidate.meaning in ground.condemned and not reason.strip():
            raise CondemnedHere(str(where), number)
        snapshot = await self._eligibility.at_open(
            rules,
            requested_by=by.person,
            publisher=await self._opening.publisher(ground.live, rules),
        )
        made = await self._opening.new(where, ground, candidate, snapshot, by=by)
        new = replace(made, reason=reason)
        finding = Finding(
            FindingCode.REQUESTED,
            {"slack_id": by.slack_id, "candidate": number},
            candidate_id=candidate.id,
        )
        return new, finding

    async def _may_ask(self, by: Member, rules: policy.Policy, where: AppEnv) -> None:
        asked = rules.snapshot()
        groups = await self._eligibility.groups(policy.asked_by(asked))
        if not policy.may_ask(
            facts_of(by), policy=asked, groups=groups, team_id=self._directory.team_id
        ):
            raise NotAllowed(f"{by.slack_id} may not ask for rollbacks of {where}")

    async def _case(self, tx: Transaction, where: AppEnv, by: Member) -> Case:
        channel = self._rules.channels[where]
        return await tx.cases.open_for(where, channel=channel, entry=_opened(where, by.slack_id))


def _may_be_replaced(before: Rollback, new: NewRollback) -> None:
    if before.state is not State.PENDING_APPROVAL:
        raise RollbackOpen(f"rollback {before.id} of {before.leg.where} is {before.state}")
    fewer = quorum.needed_by(new.policy, new.requested_by) < quorum.needed(before)
    if before.content_digest == new.content_digest and not fewer:
        raise AskedAlready(before.id)


def _after(case: Case, finding: Finding) -> Finding:
    """The alerts that were looked at stay looked at."""
    if case.finding is None:
        return finding
    looked = case.finding.newest_firing_id
    return replace(finding, onset_to=case.finding.onset_to, newest_firing_id=looked)


def _opened(where: AppEnv, user_id: str) -> AuditDraft:
    return AuditDraft(
        user_id=user_id,
        action="case.open",
        resource=f"app/{where}",
        status="ok",
        what={"app": str(where)},
        ip_note="not passed on by Slack",
    )
