"""A person asks for a version by name: open the rollback that others then vote on."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy
from bot.domain.words import FindingCode, OutcomeCode
from bot.errors import EmptyVersion, NotAllowed, NothingToDo, RollbackOpen
from bot.ports.people import Directory, Member
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.eligibility import Eligibility, facts_of
from bot.services.opening import Opening, Rules, open_in
from bot.services.outdate import supersede
from bot.services.snapshot import Snapshot
from store.records import AppEnv, AuditDraft, Finding, NewRollback, Rollback, State


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
        self, where: AppEnv, number: int, *, by: Member, channel: str, response_url: str
    ) -> Rollback:
        """Open a rollback of *where* to version *number* for the person who asked.

        A rollback of the same app that is still being voted on is superseded: whoever picks
        another version becomes the requester of the new one.

        Raises:
            UnknownApp, UnknownVersion, NotAllowed, NothingToDo, EmptyVersion, RollbackOpen:
                Nothing changed.
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
        ground = await self._opening.ground(where)
        candidate = await self._opening.numbered(where, number)
        if ground is None or candidate.meaning == ground.live.meaning:
            raise NothingToDo(f"{where} version {number} is what is live")
        if await self._opening.empty(candidate):
            raise EmptyVersion(f"{where} version {number} has no nodes")
        snapshot = await self._eligibility.at_open(rules, requested_by=by.person)
        new = await self._opening.new(where, ground, candidate, snapshot, by=by)
        finding = Finding(
            FindingCode.REQUESTED,
            {"slack_id": by.slack_id, "candidate": number},
            candidate_id=candidate.id,
        )
        return await self._open(where, new, finding, by)

    async def _open(
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
            if case.finding is not None:  # the alerts that were looked at stay looked at
                looked = case.finding.newest_firing_id
                finding = replace(finding, onset_to=case.finding.onset_to, newest_firing_id=looked)
            return await open_in(tx, case, new, finding, user_id=by.slack_id)


def _opened(where: AppEnv, user_id: str) -> AuditDraft:
    return AuditDraft(
        user_id=user_id,
        action="case.open",
        resource=f"app/{where}",
        status="ok",
        what={"app": str(where)},
        ip_note="not passed on by Slack",
    )
