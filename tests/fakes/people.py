"""A directory of people that obeys Slack's rules: asked afresh, and it can be down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.people import Member
from tests.builders import ALICE, BOB, CAROL, DAVE, REVIEWERS, TEAM

NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol", DAVE: "dave"}


class FakeDirectory:
    """alice, bob and carol are reviewers; dave is a member like any other.

    `persons` are the configured aliases, account → person. While `down` every question raises,
    as the real one does when Slack does not answer.
    """

    def __init__(self) -> None:
        self.team_id = TEAM
        self.persons: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        self.languages: dict[str, str] = {}
        self.members = {
            slack_id: Member(slack_id, slack_id, TEAM, name) for slack_id, name in NAMES.items()
        }
        self.groups: dict[str, frozenset[str]] = {REVIEWERS: frozenset({ALICE, BOB, CAROL})}
        self.shared: set[str] = set()
        self.unseen: set[str] = set()  # channels that we are not in
        self.down = False
        self.refuses = ""  # the error code with which Slack refuses every look-up
        self.asked = 0

    def add(self, slack_id: str, *, person: str = "", **flags: Any) -> Member:
        """Let *slack_id* be a member; with *person* it is another account of theirs."""
        if person:
            self.persons[slack_id] = person
        self.members[slack_id] = replace(Member(slack_id, "", TEAM, slack_id), **flags)
        return self.members[slack_id]

    def change(self, slack_id: str, **flags: Any) -> None:
        self.members[slack_id] = replace(self.members[slack_id], **flags)

    def leave(self, slack_id: str, group: str = REVIEWERS) -> None:
        self.groups[group] -= {slack_id}

    def person_of(self, slack_id: str) -> str:
        return self.persons.get(slack_id, slack_id)

    def language_of(self, slack_id: str) -> str:
        return self.languages.get(slack_id, "en")

    def publisher(self, email: str) -> str:
        return self.authors.get(email.casefold(), "")

    async def member(self, slack_id: str) -> Member:
        self._ask()
        if slack_id not in self.members:
            raise UpstreamRefused("slack", "no such user", "user_not_found")
        return replace(self.members[slack_id], person=self.person_of(slack_id))

    async def members_of(self, group_id: str) -> frozenset[str]:
        self._ask()
        if group_id not in self.groups:
            raise UpstreamRefused("slack", "no such group", "no_such_subteam")
        return self.groups[group_id]

    async def shared_channel(self, channel: str) -> bool:
        self._ask()
        if channel in self.unseen:
            raise UpstreamRefused("slack", "no such channel", "channel_not_found")
        return channel in self.shared

    def _ask(self) -> None:
        self.asked += 1
        if self.down:
            raise UpstreamDown("slack", "no answer")
        if self.refuses:
            raise UpstreamRefused("slack", "refused", self.refuses)
