"""Who may see, ask and vote: pure rules over what Slack says of a person at this moment.

The one who asks Slack brings the facts; nothing here remembers an earlier answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta

from store.records import PolicySnapshot

Groups = Mapping[str, Set[str]]  # user group id → Slack ids of its members


@dataclass(frozen=True)
class Policy:
    """What an environment's table in the configuration says; people and groups by Slack id.

    `named` is False for an environment without such a table: nobody is eligible there.
    """

    votes: int = 2
    reviewers: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    open_for: timedelta = timedelta(minutes=30)
    protected_tags: tuple[str, ...] = ()
    named: bool = False

    def __post_init__(self) -> None:
        if self.votes < 1:
            raise ValueError("a policy needs at least one vote")
        if self.open_for <= timedelta(0):
            raise ValueError("a rollback has to stay open for some time")

    def snapshot(self, eligible: Iterable[str] = ()) -> PolicySnapshot:
        """Return this policy as it stands now, with the person ids who are *eligible* now."""
        return PolicySnapshot(
            votes=self.votes,
            reviewers=self.reviewers,
            requesters=self.requesters,
            viewers=self.viewers,
            open_for_s=int(self.open_for.total_seconds()),
            named=self.named,
            eligible=tuple(sorted(set(eligible))),
        )


@dataclass(frozen=True)
class MemberFacts:
    """A Slack account as Slack tells it now; `person` is one for all accounts of a human."""

    slack_id: str
    person: str
    team_id: str
    deleted: bool = False
    bot: bool = False
    guest: bool = False
    stranger: bool = False


def group_ids(*entries: Iterable[str]) -> tuple[str, ...]:
    """Return the user groups among the *entries* of a policy, each once, sorted.

    A user group's id begins with S, a person's with U or W
    (https://docs.slack.dev/reference/methods/usergroups.users.list).
    """
    return tuple(sorted({entry for some in entries for entry in some if entry.startswith("S")}))


def seen_by(policy: PolicySnapshot) -> tuple[str, ...]:
    """Return who may look: the viewers, and always those who may ask or vote."""
    return tuple(dict.fromkeys((*policy.viewers, *policy.reviewers, *policy.requesters)))


def asked_by(policy: PolicySnapshot) -> tuple[str, ...]:
    """Return who may ask for a rollback: the requesters and the reviewers."""
    return tuple(dict.fromkeys((*policy.requesters, *policy.reviewers)))


def known(member: MemberFacts, *, team_id: str) -> bool:
    """Return whether this is somebody of our workspace at all; others are only counted."""
    return member.team_id == team_id and not member.stranger


def standing(member: MemberFacts, *, team_id: str) -> str | None:
    """Return the code of why this account may do nothing here, or None for a real member.

    The list is Slack's own set of role flags; `is_app_user` is no reason to refuse.
    """
    reasons = (
        (member.team_id != team_id, "other_team"),
        (member.stranger, "stranger"),
        (member.deleted, "deleted"),
        (member.bot, "bot"),
        (member.guest, "guest"),
    )
    return next((code for holds, code in reasons if holds), None)


def why_not(
    member: MemberFacts,
    *,
    policy: PolicySnapshot,
    groups: Groups,
    team_id: str,
    at_open: Set[str] | None,
    shared_channel: bool,
) -> str | None:
    """Return the code of why *member* may not vote, or None if they may.

    Args:
        member: Asked afresh from the directory.
        policy: As it stood when the rollback was opened.
        groups: The members, now, of every user group that *policy* names; one that is
            missing has no members.
        team_id: Our workspace.
        at_open: Person ids that were eligible when the rollback was opened; None while it is
            being opened.
        shared_channel: People of other organisations can click on the card.
    """
    if not policy.named or not policy.reviewers:
        return "no_policy"
    if (bar := standing(member, team_id=team_id)) is not None:
        return bar
    if shared_channel:
        return "shared_channel"
    if not _among(member, policy.reviewers, groups):
        return "not_reviewer"
    if at_open is not None and member.person not in at_open:
        return "not_at_open"
    return None


def may_ask(member: MemberFacts, *, policy: PolicySnapshot, groups: Groups, team_id: str) -> bool:
    """Return whether *member* may ask for a rollback; without a policy any real member may."""
    return _may(member, asked_by(policy), policy, groups, team_id)


def may_see(member: MemberFacts, *, policy: PolicySnapshot, groups: Groups, team_id: str) -> bool:
    """Return whether *member* may see differences; without a policy any real member may."""
    return _may(member, seen_by(policy), policy, groups, team_id)


def may_tag(
    member: MemberFacts, name: str, *, policy: Policy, groups: Groups, team_id: str
) -> bool:
    """Return whether *member* may move or remove the tag *name*.

    A protected tag is the reviewers' alone; any other may be moved by whoever may ask for a
    rollback.
    """
    if name not in policy.protected_tags:
        return may_ask(member, policy=policy.snapshot(), groups=groups, team_id=team_id)
    return standing(member, team_id=team_id) is None and _among(member, policy.reviewers, groups)


def groups_of(slack_id: str, groups: Groups) -> tuple[str, ...]:
    """Return the ids of the groups that *slack_id* is in, sorted."""
    return tuple(sorted(name for name, people in groups.items() if slack_id in people))


def _may(
    member: MemberFacts,
    entries: tuple[str, ...],
    policy: PolicySnapshot,
    groups: Groups,
    team_id: str,
) -> bool:
    if standing(member, team_id=team_id) is not None:
        return False
    return not policy.named or _among(member, entries, groups)


def _among(member: MemberFacts, entries: tuple[str, ...], groups: Groups) -> bool:
    return member.slack_id in entries or any(
        member.slack_id in groups.get(entry, frozenset()) for entry in entries
    )
