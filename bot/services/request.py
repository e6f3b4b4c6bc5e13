"""A person asks for a version by name: open the rollback that others then vote on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bot import spans
from bot.domain import drill, legs, policy, quorum
from bot.domain.words import FindingCode, OutcomeCode
from bot.errors import (
    AskedAlready,
    CondemnedHere,
    Frozen,
    NotAllowed,
    NothingToDo,
    NotTogether,
    OpenElsewhere,
    RollbackOpen,
)
from bot.ports.people import Directory, Member
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets
from bot.services.closing import close_if_over
from bot.services.drill.ending import over, unsuggested
from bot.services.eligibility import Eligibility, facts_of
from bot.services.opening.ground import Ground
from bot.services.opening.opening import Opening
from bot.services.opening.presenting import open_in
from bot.services.opening.rules import Rules
from bot.services.outdate import supersede
from bot.services.snapshot import Snapshot
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    Finding,
    Json,
    NewRollback,
    Rollback,
    State,
    Version,
)


@dataclass(frozen=True)
class _Chosen:
    """An app with what is live and what it is to go to."""

    where: AppEnv
    ground: Ground
    candidate: Version


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
        also: Sequence[tuple[AppEnv, int]] = (),
    ) -> Rollback:
        """Open a rollback of *where* to version *number* for the person who asked.

        The apps in *also* go to their versions together with it: all of them, or none. Going to
        a version that was rolled back here before needs a *reason*.

        A rollback of one of the apps that is still being voted on is superseded: whoever picks
        another version becomes the requester of the new one.

        Raises:
            NotTogether: They cannot be one rollback. Nothing changed.
            UnknownApp, UnknownVersion, NotAllowed, Frozen, NothingToDo, ByHandOnly, EmptyVersion,
            CondemnedHere, RollbackOpen, AskedAlready, SecretsOutOfReach, SecretsGone,
            ValuesMasked: Nothing changed.
            UpstreamDown, UpstreamRefused: Slack or the target cannot be read.
        """
        new, finding = await self._made([(where, number), *also], by, reason)
        with ExitStack() as until_committed:
            return await self._opened(until_committed, new, finding, by)

    async def _opened(
        self, until_committed: ExitStack, new: NewRollback, finding: Finding, by: Member
    ) -> Rollback:
        """Open *new*; what is recorded of it belongs to its case until it is committed."""
        async with self._store.write() as tx:
            replaced = await _make_room(tx, new)
            case = await self._case(tx, new.legs[0].where, by)
            of, new_case = spans.case(case.id), case.finding is None and not case.card_ts
            until_committed.enter_context(spans.span("request", of=of, first=new_case))
            new = await self._of_drill(tx, case, new, replaced)
            return await open_in(tx, case, new, _after(case, finding), user_id=by.slack_id)

    async def renew(self, ended: Rollback) -> Rollback:
        """Open *ended*, which lost its ground, on the new one: same requester, same candidate.

        Everything is looked up and judged afresh, as if they asked now; but it takes the place
        of nothing that was opened meanwhile.

        Raises:
            UnknownApp, UnknownVersion, NotAllowed, Frozen, NothingToDo, ByHandOnly, EmptyVersion,
            RollbackOpen, OpenElsewhere: Nothing changed.
            UpstreamDown, UpstreamRefused: Slack or the target cannot be read.
        """
        by = await self._directory.member(ended.requested_slack_id)
        async with self._store.read() as tx:
            candidates = [await tx.versions.get(leg.to_version_id) for leg in ended.legs]
        goals = [(candidate.where, candidate.number or 0) for candidate in candidates]
        new, finding = await self._made(goals, by, ended.reason)
        new = replace(new, drill=ended.drill)
        async with self._store.write() as tx:
            case = await self._case(tx, new.legs[0].where, by)
            if case.rollback_id != ended.id:
                raise RollbackOpen(f"case {case.id} of {case.where} has moved on")
            for leg in new.legs:
                if (other := await tx.rollbacks.open_of(leg.where)) is not None:
                    raise OpenElsewhere(str(leg.where), other.id)
            return await open_in(tx, case, new, _after(case, finding), user_id=quorum.KEYTURN)

    async def _made(
        self, goals: Sequence[tuple[AppEnv, int]], by: Member, reason: str
    ) -> tuple[NewRollback, Finding]:
        """What is to be opened, if *by* may ask for it."""
        goals = self._callers_first(goals)
        for where, _ in goals:
            await self._admit(where, by)
        chosen = [await self._chosen(where, number, reason) for where, number in goals]
        rules = max((self._rules.policy(where) for where, _ in goals), key=lambda p: p.votes)
        snapshot = await self._eligibility.at_open(
            rules,
            requested_by=by.person,
            publishers=[await self._opening.publisher(one.ground.live, rules) for one in chosen],
            alone=[p for one in chosen if (p := await self._opening.breaker(one.ground.live))],
        )
        made = [await self._opening.legs.between(o.where, o.ground, o.candidate) for o in chosen]
        new = replace(self._opening.of(tuple(made), snapshot, by=by), reason=reason)
        facts: dict[str, Json] = {"slack_id": by.slack_id, "candidate": goals[0][1]}
        if len(goals) > 1:
            facts["also"] = [{"where": str(where), "candidate": n} for where, n in goals[1:]]
        return new, Finding(FindingCode.REQUESTED, facts, candidate_id=chosen[0].candidate.id)

    def _callers_first(self, goals: Sequence[tuple[AppEnv, int]]) -> list[tuple[AppEnv, int]]:
        """*goals* in the order of a rollback's legs. Raises `NotTogether`."""
        numbers = {where.app: (where, number) for where, number in goals}
        if len({where.env for where, _ in goals}) > 1:
            raise NotTogether("environments", len(goals))
        if len(numbers) < len(goals):
            raise NotTogether("twice", len(goals))
        if len(goals) > legs.MOST:
            raise NotTogether("many", len(goals))
        ordered = legs.callers_first(list(numbers), self._rules.depends_on)
        return [numbers[app] for app in ordered]

    async def _admit(self, where: AppEnv, by: Member) -> None:
        """Raise the `Refused` that says why *by* may not ask for *where* now, if so."""
        self._targets.of(where)
        rules = self._rules.policy(where)
        await self._may_ask(by, rules, where)
        async with self._store.read() as tx:
            until = rules.freeze.until(await tx.now())
        if until is not None and not await self._may_break_glass(by, rules):
            raise Frozen(str(where), until)
        if await self._directory.shared_channel(self._rules.channels[where]):
            raise NotAllowed(f"the channel of {where} is shared with another organisation")

    async def _chosen(self, where: AppEnv, number: int, reason: str) -> _Chosen:
        """Read what is live in *where* now; version *number* has to be one to go to."""
        await self._snapshot.refresh(where)
        ground = await self._opening.ground(where)
        candidate = await self._opening.numbered(where, number)
        if ground is None:
            raise NothingToDo(f"{where} has no version that is live")
        for objection in await self._opening.objections(where, ground, candidate):
            raise objection
        if ground.takes_reason(candidate) and not reason.strip():
            raise CondemnedHere(str(where), number)
        return _Chosen(where, ground, candidate)

    async def _may_ask(self, by: Member, rules: policy.Policy, where: AppEnv) -> None:
        asked = rules.snapshot()
        groups = await self._eligibility.groups(policy.asked_by(asked))
        if not policy.may_ask(
            facts_of(by), policy=asked, groups=groups, team_id=self._directory.team_id
        ):
            raise NotAllowed(f"{by.slack_id} may not ask for rollbacks of {where}")

    async def _of_drill(
        self, tx: Transaction, case: Case, new: NewRollback, replaced: Sequence[Rollback]
    ) -> NewRollback:
        """*new* as a part of the drill that goes on in *case*, if it stays in apps for drills.

        A drill that it does not go on with has ended.
        """
        stays = all(self._rules.practises(leg.where) for leg in new.legs)
        for before in replaced:
            if not stays or before.case_id != case.id:
                ended = await tx.rollbacks.get(before.id)
                await over(tx, await tx.cases.get(ended.case_id), ended)
        goes_on = await _goes_on(tx, case)
        if goes_on and not stays:
            await unsuggested(tx, case, why=OutcomeCode.DRILL_GAVE_WAY)
        return replace(new, drill=goes_on and stays)

    async def _may_break_glass(self, by: Member, rules: policy.Policy) -> bool:
        """Whether *by* may open it in a freeze: nobody else can start it before its end."""
        snapshot = rules.snapshot()
        why_not = policy.why_no_glass(
            facts_of(by),
            policy=snapshot,
            groups=await self._eligibility.groups(snapshot.break_glass),
            team_id=self._directory.team_id,
            at_open=None,
            shared_channel=False,  # looked at below
        )
        return why_not is None

    async def _case(self, tx: Transaction, where: AppEnv, by: Member) -> Case:
        """The open case of *where*; that of a drill which is over is not gone on with."""
        channel, entry = self._rules.channels[where], _opened(where, by.slack_id)
        case = await tx.cases.open_for(where, channel=channel, entry=entry)
        practised = drill.practised(await tx.alerts.of_case(case.id))
        if practised and not await _goes_on(tx, case) and await close_if_over(tx, case):
            return await tx.cases.open_for(where, channel=channel, entry=entry)
        return case


async def _goes_on(tx: Transaction, case: Case) -> bool:
    """Whether *case* is a drill that has not ended."""
    firings = await tx.alerts.of_case(case.id)
    return drill.practised(firings) and drill.goes_on(firings)


async def _make_room(tx: Transaction, new: NewRollback) -> list[Rollback]:
    """Supersede what is still being voted on in the apps of *new*, and return it.

    Raises:
        RollbackOpen, AskedAlready: One of them has a rollback that stays.
    """
    found = [await tx.rollbacks.open_of(leg.where) for leg in new.legs]
    ids = sorted({rollback.id for rollback in found if rollback is not None})
    replaced = []
    for rollback_id in ids:  # locked in one order, and before their cases, as everywhere
        before = await tx.rollbacks.get(rollback_id, lock=True)
        if before.open:
            _may_be_replaced(before, new)
            await supersede(tx, before, OutcomeCode.OTHER_VERSION)
            replaced.append(before)
    return replaced


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
