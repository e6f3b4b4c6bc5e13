"""Who may see, ask and vote: pure rules over what Slack says of a person at this moment.

The one who asks Slack brings the facts; nothing here remembers an earlier answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain import impact
from bot.domain.windows import NEVER, Windows
from store.records import PolicySnapshot

Groups = Mapping[str, Set[str]]  # user group id → Slack ids of its members


@dataclass(frozen=True)
class Policy:
    """What an environment's table in the configuration says; people and groups by Slack id.

    `named` is False for an environment without such a table: nobody is eligible there.
    """

    votes: int = 2
    votes_by_criticality: Mapping[str, int] = field(default_factory=dict)
    votes_by_risk: Mapping[str, int] = field(default_factory=dict)  # for that risk and above
    reviewers: tuple[str, ...] = ()
    each_of: tuple[str, ...] = ()  # one of each must approve
    backups: tuple[str, ...] = ()  # may vote too, and are called when time runs out
    requesters: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    vetoes: int = 1  # how many rejects end it
    exclude_publisher: bool = False
    withdraw_recovered: bool = False  # what an alert suggested goes when its trouble is over
    open_for: timedelta = timedelta(minutes=30)
    remind_after: timedelta | None = None  # None: after half of `open_for`
    escalate_after: timedelta | None = None  # None: after three quarters of it
    most_suggested: int = 2  # rollbacks within `cool_down`, after which none is suggested
    cool_down: timedelta = timedelta(hours=6)
    freeze: Windows = NEVER  # nothing is opened or executed
    quiet: Windows = NEVER  # nobody is reminded
    protected_tags: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ()  # who may start one alone; empty: nobody
    named: bool = False

    def __post_init__(self) -> None:
        if self.votes < 0 or self.vetoes < 1:
            raise ValueError("a policy needs no negative votes, and a reject that ends it")
        if self.open_for <= timedelta(0):
            raise ValueError("a rollback has to stay open for some time")

    def of(self, criticality: str) -> Policy:
        """Return this policy as it is for an app of *criticality*: never fewer votes."""
        return replace(self, votes=max(self.votes, self.votes_by_criticality.get(criticality, 0)))

    def at_risk(self, snapshot: PolicySnapshot, risk: str) -> PolicySnapshot:
        """Return *snapshot* for a rollback of that *risk*, "" for none: never fewer votes."""
        rank = impact.rank(risk)
        wanted = [n for lowest, n in self.votes_by_risk.items() if impact.rank(lowest) <= rank]
        votes = max(wanted, default=0)
        return replace(snapshot, votes=votes, risk=risk) if votes > snapshot.votes else snapshot

    def cools_down_until(self, ends: Sequence[datetime]) -> datetime | None:
        """Return until when no rollback is suggested, None if one may be.

        *ends* are when rollbacks of the app were completed within `cool_down`, oldest first.
        """
        if len(ends) < self.most_suggested:
            return None
        return ends[-self.most_suggested] + self.cool_down

    def snapshot(
        self,
        eligible: Iterable[str] = (),
        *,
        members: Mapping[str, Iterable[str]] | None = None,
        publisher: tuple[str, str] = ("", ""),
        publishers: Iterable[str] = (),
        breakers: Iterable[str] = (),
    ) -> PolicySnapshot:
        """Return this policy as it stands now.

        Args:
            eligible: Person ids who may vote now.
            members: The person ids of each entry of `each_of`.
            publisher: Who published what is live (their e-mail address in the target) and
                their person id, "" where it is not known; kept only if they may not vote.
            publishers: The person ids of who published what is live in the other apps of it.
            breakers: Person ids who may break the glass now.
        """
        told, person = publisher if self.exclude_publisher else ("", "")
        remind = self.open_for / 2 if self.remind_after is None else self.remind_after
        escalate = self.open_for * 3 / 4 if self.escalate_after is None else self.escalate_after
        return PolicySnapshot(
            votes=self.votes,
            reviewers=self.reviewers,
            requesters=self.requesters,
            viewers=self.viewers,
            open_for_s=int(self.open_for.total_seconds()),
            named=self.named,
            eligible=tuple(sorted(set(eligible))),
            each_of=self.each_of,
            members={entry: tuple(sorted(set(some))) for entry, some in (members or {}).items()},
            backups=self.backups,
            vetoes=self.vetoes,
            publisher=told,
            publisher_person=person,
            publishers=tuple(sorted(set(publishers))) if self.exclude_publisher else (),
            remind_after_s=int(remind.total_seconds()),
            escalate_after_s=int(escalate.total_seconds()),
            break_glass=self.break_glass,
            breakers=tuple(sorted(set(breakers))),
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
    return tuple(dict.fromkeys((*policy.viewers, *asked_by(policy))))


def asked_by(policy: PolicySnapshot) -> tuple[str, ...]:
    """Return who may ask for a rollback: the requesters and all who may vote or break the glass."""
    return tuple(dict.fromkeys((*policy.requesters, *policy.voters, *policy.break_glass)))


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
    if not policy.named or not policy.voters:
        return "no_policy"
    bar = _no_member_of(
        policy.voters, "not_reviewer", member, groups, team_id, shared_channel=shared_channel
    )
    if bar is not None:
        return bar
    if at_open is not None and member.person not in at_open:
        return "not_at_open"
    return _published_it(member, policy)


def _no_member_of(
    entries: tuple[str, ...],
    code: str,
    member: MemberFacts,
    groups: Groups,
    team_id: str,
    *,
    shared_channel: bool,
) -> str | None:
    """Return why *member* counts for nothing on this card; *code* where no entry names them."""
    if (bar := standing(member, team_id=team_id)) is not None:
        return bar
    if shared_channel:
        return "shared_channel"
    return None if _among(member, entries, groups) else code


def _published_it(member: MemberFacts, policy: PolicySnapshot) -> str | None:
    """Return the code of why who published it may not vote; who cannot be told apart may not.

    Without a publisher, as of drift, nobody is excluded.
    """
    if policy.publisher and not policy.publisher_person:
        return "publisher_unknown"
    published = {policy.publisher_person, *policy.publishers} - {""}
    return "publisher" if member.person in published else None


def why_no_glass(
    member: MemberFacts,
    *,
    policy: PolicySnapshot,
    groups: Groups,
    team_id: str,
    at_open: Set[str] | None,
    shared_channel: bool,
) -> str | None:
    """Return the code of why *member* may not break the glass, or None if they may.

    The arguments are those of `why_not`; *at_open* are the persons who could when the rollback
    was opened.
    """
    if not policy.named or not policy.break_glass:
        return "glass_off"
    bar = _no_member_of(
        policy.break_glass, "not_named", member, groups, team_id, shared_channel=shared_channel
    )
    if bar is not None:
        return bar
    return "not_at_open" if at_open is not None and member.person not in at_open else None


def why_no_signature(
    member: MemberFacts,
    *,
    policy: PolicySnapshot,
    groups: Groups,
    team_id: str,
    shared_channel: bool,
) -> str | None:
    """Return the code of why *member* may not sign a review, or None if they may.

    Whoever may vote as of now: a review may stay open longer than anybody stays in a group.
    """
    if not policy.named or not policy.voters:
        return "no_policy"
    return _no_member_of(
        policy.voters, "not_reviewer", member, groups, team_id, shared_channel=shared_channel
    )


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
    voters = policy.snapshot().voters
    return standing(member, team_id=team_id) is None and _among(member, voters, groups)


def may_manage_jobs(
    member: MemberFacts, *, managers: tuple[str, ...], groups: Groups, team_id: str
) -> bool:
    """Return whether *member* may run and pause jobs: who is named, and nobody else."""
    return standing(member, team_id=team_id) is None and _among(member, managers, groups)


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
