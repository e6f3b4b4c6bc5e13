"""Who sent this, as Slack knows them at this moment; asked outside any transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.domain import policy
from bot.domain.policy import Groups, MemberFacts
from bot.errors import NotAllowed, NotEligible, UpstreamRefused
from bot.ports.people import Directory, Member
from bot.services.eligibility import NOBODY, Eligibility, facts_of
from store.records import PolicySnapshot


class Sender(Protocol):
    """An account as a payload of Slack names it, with its workspace."""

    @property
    def slack_id(self) -> str: ...
    @property
    def team_id(self) -> str: ...


@dataclass(frozen=True)
class Asker:
    """A sender and what the rules need to know of them.

    `member` is None when Slack knows no such account; `shared` says that people of other
    organisations can click in the card's channel.
    """

    slack_id: str
    member: Member | None
    facts: MemberFacts
    groups: Groups
    team_id: str
    shared: bool

    @property
    def known(self) -> bool:
        """Whether this is somebody of our workspace, whose refusals are recorded."""
        return self.member is not None and policy.known(self.facts, team_id=self.team_id)

    @property
    def in_groups(self) -> tuple[str, ...]:
        """The groups of the policy that they are in."""
        return policy.groups_of(self.slack_id, self.groups)

    def why_no_vote(self, rules: PolicySnapshot) -> str | None:
        """Return the code of why they may not vote under *rules*, None if they may."""
        return policy.why_not(
            self.facts,
            policy=rules,
            groups=self.groups,
            team_id=self.team_id,
            at_open=frozenset(rules.eligible),
            shared_channel=self.shared,
        )

    def why_no_glass(self, rules: PolicySnapshot) -> str | None:
        """Return the code of why they may not break the glass under *rules*, None if they may."""
        return policy.why_no_glass(
            self.facts,
            policy=rules,
            groups=self.groups,
            team_id=self.team_id,
            at_open=frozenset(rules.breakers),
            shared_channel=self.shared,
        )

    def why_no_signature(self, rules: PolicySnapshot) -> str | None:
        """Return the code of why they may not sign a review under *rules*, None if they may."""
        return policy.why_no_signature(
            self.facts,
            policy=rules,
            groups=self.groups,
            team_id=self.team_id,
            shared_channel=self.shared,
        )

    def must_be_member(self) -> Member:
        """Return the member. Raises `NotEligible` for everybody who may do nothing here."""
        bar = policy.standing(self.facts, team_id=self.team_id)
        if self.member is None or bar is not None:
            raise NotEligible(bar or "stranger")
        return self.member

    def sees(self, rules: PolicySnapshot) -> bool:
        """Return whether they may see differences under *rules*."""
        return policy.may_see(self.facts, policy=rules, groups=self.groups, team_id=self.team_id)

    def must_see(self, rules: PolicySnapshot) -> None:
        """Raise `NotAllowed` unless they may see differences under *rules*."""
        self.must_be_member()
        if not self.sees(rules):
            raise NotAllowed(f"{self.slack_id} is not among the viewers")


class Reception:
    """Looks senders up."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._eligibility = Eligibility(directory)

    async def of(self, item: Sender, *entries: Iterable[str], channel: str = "") -> Asker:
        """Return the sender of *item* with the members of every group among *entries*.

        Args:
            item: Its team must be ours too; one of another workspace counts as foreign.
            entries: Lists of user groups and people, as policies have them.
            channel: The card's, to be looked at for other organisations; "" for none.

        Raises:
            UpstreamDown: Slack cannot say: nothing may be decided.
        """
        groups = await self._eligibility.groups(*entries)
        asker = await self.named(item.slack_id, item.team_id, groups)
        shared = bool(channel) and await self._directory.shared_channel(channel)
        return replace(asker, shared=shared)

    async def named(self, slack_id: str, team_id: str, groups: Groups) -> Asker:
        """Return the person *slack_id* of the workspace *team_id*, with the *groups* as given.

        Raises:
            UpstreamDown: Slack cannot say.
        """
        member = await self._member(slack_id)
        facts = _nobody(slack_id, team_id) if member is None else facts_of(member)
        if team_id != self._directory.team_id:
            facts = replace(facts, team_id=team_id)
        return Asker(
            slack_id=slack_id,
            member=member,
            facts=facts,
            groups=groups,
            team_id=self._directory.team_id,
            shared=False,
        )

    async def _member(self, slack_id: str) -> Member | None:
        try:
            return await self._directory.member(slack_id)
        except UpstreamRefused as error:
            if error.upstream_code in NOBODY:
                return None
            raise


def _nobody(slack_id: str, team_id: str) -> MemberFacts:
    return MemberFacts(slack_id, slack_id, team_id, stranger=True)
