"""Ask the directory, afresh and outside any transaction, who may vote; the rules are policy's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TypedDict

from bot.domain import policy, quorum
from bot.domain.policy import Groups, MemberFacts
from bot.errors import UpstreamRefused
from bot.ports.people import Directory, Member
from store.records import PolicySnapshot, Rollback, Vote

log = logging.getLogger(__name__)


class _Excluded(TypedDict):
    publisher: tuple[str, str]
    publishers: Sequence[str]


NOBODY = frozenset({"user_not_found", "users_not_found", "user_not_visible"})


class Eligibility:
    """Nothing is remembered between two calls: a person who left a minute ago has left."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def groups(self, *entries: Iterable[str]) -> Groups:
        """Return the members of every user group among *entries*. Raises `UpstreamDown`."""
        ids = policy.group_ids(*entries)
        members = await asyncio.gather(*(self._directory.members_of(group) for group in ids))
        return dict(zip(ids, members, strict=True))

    async def at_open(
        self,
        rules: policy.Policy,
        *,
        requested_by: str,
        publishers: Iterable[str] = (),
        alone: Iterable[str] = (),
    ) -> PolicySnapshot:
        """Return the snapshot of *rules* with the persons who may vote now.

        Account flags are looked at when somebody votes and again at execution; here only who
        was named counts, so that a group of fifty is one call.

        Args:
            rules: Of the environment, for this app.
            requested_by: The person who asks; never among those who may vote.
            publishers: Who published what is live in each of the apps, by e-mail address; "" when
                nobody did.
            alone: The persons on whose word alone what is live came there.
        """
        entries = rules.snapshot().voters
        groups = await self.groups(entries)
        persons = {entry: self._persons(groups.get(entry, {entry})) for entry in entries}
        breakers = await self._breakers(rules)
        return rules.snapshot(
            set().union(*persons.values()) - {requested_by},
            breakers=breakers,
            members={entry: persons[entry] - {requested_by} for entry in rules.each_of},
            **self._excluded([address for address in publishers if address], alone),
        )

    def _excluded(self, addresses: Sequence[str], alone: Iterable[str]) -> _Excluded:
        """Who may not vote; one who is not known in Slack comes first, since nobody may then."""
        persons = {address: self._directory.publisher(address) for address in addresses}
        first = min(addresses, key=lambda address: persons[address] != "", default="")
        others = [person for address, person in persons.items() if address != first]
        return {"publisher": (first, persons.get(first, "")), "publishers": [*others, *alone]}

    async def _breakers(self, rules: policy.Policy) -> set[str]:
        """The persons who may break the glass, also who asks; a group that Slack refuses has none.

        A mistyped group of theirs must not keep the reviewers from voting.
        """
        persons: set[str] = set()
        for entry in rules.break_glass:
            try:
                found = (await self.groups((entry,))).get(entry, {entry})
            except UpstreamRefused as error:
                log.warning("group unknown", extra={"group": entry, "why": error.upstream_code})
                continue
            persons |= self._persons(found)
        return persons

    def _persons(self, slack_ids: Iterable[str]) -> set[str]:
        return {self._directory.person_of(slack_id) for slack_id in slack_ids}

    async def of_voters(self, rollback: Rollback, *, channel: str) -> dict[str, str]:
        """Return person → code for everyone whose counted vote is void as of now.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say; then nobody is known to be eligible.
        """
        votes = quorum.approvals(rollback)
        shared = await self._directory.shared_channel(channel)
        groups = await self.groups(rollback.policy.voters)
        reasons = await asyncio.gather(
            *(self._why_not(rollback, vote, groups, shared=shared) for vote in votes)
        )
        return {
            vote.person: why for vote, why in zip(votes, reasons, strict=True) if why is not None
        }

    async def of_breaker(self, rollback: Rollback, *, channel: str) -> str | None:
        """Return the code of why who broke the glass of *rollback* may not as of now, or None.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say; then nothing may run.
        """
        glass = rollback.broken_by
        if glass is None:
            return None
        shared = await self._directory.shared_channel(channel)
        groups = await self.groups(rollback.policy.break_glass)
        try:
            member = await self._directory.member(glass.slack_id)
        except UpstreamRefused as error:
            if error.upstream_code not in NOBODY:
                raise
            return "deleted"
        if member.person != glass.person:
            return "not_named"  # the account belongs to somebody else now
        return policy.why_no_glass(
            facts_of(member),
            policy=rollback.policy,
            groups=groups,
            team_id=self._directory.team_id,
            at_open=frozenset(rollback.policy.breakers),
            shared_channel=shared,
        )

    async def of_asker(self, rollback: Rollback) -> str | None:
        """Return the code of why who asked for *rollback* may not ask as of now; None: they may.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say.
        """
        groups = await self.groups(policy.asked_by(rollback.policy))
        try:
            member = await self._directory.member(rollback.requested_slack_id)
        except UpstreamRefused as error:
            if error.upstream_code not in NOBODY:
                raise
            return "deleted"
        facts, team_id = facts_of(member), self._directory.team_id
        if policy.may_ask(facts, policy=rollback.policy, groups=groups, team_id=team_id):
            return None
        return policy.standing(facts, team_id=team_id) or "not_requester"

    async def _why_not(
        self, rollback: Rollback, vote: Vote, groups: Groups, *, shared: bool
    ) -> str | None:
        try:
            member = await self._directory.member(vote.slack_id)
        except UpstreamRefused as error:
            if error.upstream_code not in NOBODY:
                raise  # a refusal that says nothing about the person voids nobody's vote
            return "deleted"  # Slack knows no such account any more
        if member.person != vote.person:
            return "not_reviewer"  # the account belongs to somebody else now
        entries = {entry for entry in rollback.policy.each_of if entry in vote.groups}
        if any(vote.slack_id not in groups[entry] for entry in entries):
            return "left_group"
        return policy.why_not(
            facts_of(member),
            policy=rollback.policy,
            groups=groups,
            team_id=self._directory.team_id,
            at_open=frozenset(rollback.policy.eligible),
            shared_channel=shared,
        )


def facts_of(member: Member) -> MemberFacts:
    """Return what the rules want to know of *member*."""
    return MemberFacts(
        slack_id=member.slack_id,
        person=member.person,
        team_id=member.team_id,
        deleted=member.deleted,
        bot=member.bot,
        guest=member.guest,
        stranger=member.stranger,
    )
