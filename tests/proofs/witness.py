"""A directory and a target that remember what they told, and let things happen in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from bot.errors import UpstreamDown
from bot.ports.people import Member
from bot.ports.target import TargetVersion
from store.records import Choice, PolicySnapshot, Rollback, Vote
from tests.builders import TEAM
from tests.fakes.people import FakeDirectory
from tests.fakes.target import FakeTarget

Deed = Callable[[], None]
# Who asks, where several ask at once: what one of them was told is not what another was told.
asking: ContextVar[str] = ContextVar("asking", default="")


@dataclass
class Heard:
    """What Slack said of people since it was last cleared: whoever is not here was not asked for.

    The rule of who may vote is written here once more, in other words than the program's.
    """

    members: dict[str, Member] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)

    def copy(self) -> Heard:
        """As it is now."""
        return Heard(dict(self.members), dict(self.groups))

    def may_vote(self, vote: Vote, policy: PolicySnapshot) -> bool:
        """Whether, by what was heard, the account that gave *vote* is a reviewer's at this time."""
        member = self.members.get(vote.slack_id)
        if member is None or member.person != vote.person or member.team_id != TEAM:
            return False
        if member.deleted or member.bot or member.guest or member.stranger:
            return False
        return any(self._is_in(vote.slack_id, entry) for entry in policy.voters)

    def stand_for_all(self, votes: Iterable[Vote], policy: PolicySnapshot) -> bool:
        """Whether *votes* have, for each entry that has to agree, another person who is in it."""
        wanted = policy.each_of
        return any(
            all(
                self._is_in(vote.slack_id, entry) and vote.person in policy.members[entry]
                for vote, entry in zip(some, wanted, strict=True)
            )
            for some in permutations(votes, len(wanted))
        )

    def _is_in(self, slack_id: str, entry: str) -> bool:
        return slack_id == entry or slack_id in self.groups.get(entry, ())


def standing(rollback: Rollback) -> list[Vote]:
    """The approvals that nobody took back and nothing voided."""
    return [v for v in rollback.votes if v.choice is Choice.APPROVE and v.voided_at is None]


class WitnessedDirectory(FakeDirectory):
    """Notes every answer; `then` are deeds that each follow one of the next answers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard_by: dict[str, Heard] = defaultdict(Heard)
        self.then: list[Deed] = []
        self.silent_for = 0  # how many of the next questions get no answer

    @property
    def heard(self) -> Heard:
        """What the one who asks now was told."""
        return self.heard_by[asking.get()]

    async def member(self, slack_id: str) -> Member:
        found = await super().member(slack_id)
        self.heard.members[slack_id] = found
        self._go_on()
        return found

    async def members_of(self, group_id: str) -> frozenset[str]:
        found = await super().members_of(group_id)
        self.heard.groups[group_id] = found
        self._go_on()
        return found

    def _ask(self) -> None:
        if self.silent_for:
            self.silent_for -= 1
            raise UpstreamDown("slack", "no answer")
        super()._ask()

    def _go_on(self) -> None:
        if self.then:
            self.then.pop(0)()


@dataclass(frozen=True)
class Published:
    """A publish of ours, and what had been heard of people by then."""

    name: str
    heard: Heard


class WitnessedTarget(FakeTarget):
    """Notes what we published, and what it said was live (external id, root)."""

    def __init__(self, heard: Callable[[], Heard], **settings: Any) -> None:
        super().__init__(**settings)
        self._heard = heard
        self.published: list[Published] = []
        self.told_live: list[tuple[str, str]] = []
        self.by_editors = 0

    def publish_draft(self, app_id: str, *, name: str = "", by: str = "alice", **said: Any) -> str:
        if by == "keyturn":
            self.published.append(Published(name, self._heard().copy()))
        else:
            self.by_editors += 1
        return super().publish_draft(app_id, name=name, by=by, **said)

    async def live(self, app_id: str) -> TargetVersion | None:
        found = await super().live(app_id)
        if found is not None:
            self.told_live.append((found.external_id, found.document.root))
        return found

    def forget_plans(self) -> None:
        """Nothing happens any more before or after a call; errors stay."""
        self._before.clear()
        self._after.clear()

    def named(self, start: str) -> int:
        """How many versions of all apps have a name that begins with *start*."""
        histories: Mapping[str, Any] = self.apps
        return sum(v.name.startswith(start) for a in histories.values() for v, _ in a.history)
