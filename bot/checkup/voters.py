"""Whether anybody could approve in an environment."""

from __future__ import annotations

from collections.abc import Iterable

from bot.checkup.finding import Finding, failed, note, ok
from bot.domain import policy
from bot.domain.policy import Policy
from bot.errors import BotError, UpstreamRefused
from bot.ports.people import Directory
from bot.services.eligibility import NOBODY, Eligibility, facts_of


async def finding(env: str, rules: Policy, directory: Directory | None) -> Finding:
    """Look at the policy of *env*; without a *directory* only at what is written down."""
    what = f"policy.{env}"
    voters = rules.snapshot().voters
    if not voters and rules.votes > 0:
        mend = f'name reviewers in keyturn.toml: [policy.{env}] reviewers = ["S…", "U…"]'
        return failed(what, "nobody may vote, so nothing could ever be approved", mend)
    if directory is None:
        return note(what, f"{_votes(rules)}; who the reviewers are cannot be asked")
    try:
        groups = await _groups(directory, rules)
        if isinstance(groups, Finding):
            return Finding(what, groups.verdict, groups.said, groups.mend)
        return await _count(what, rules, directory, groups)
    except BotError as error:
        mend = "see the line about Slack; who may vote is asked of it"
        return failed(what, f"Slack does not say who they are ({error})", mend)


async def _groups(directory: Directory, rules: Policy) -> policy.Groups | Finding:
    """The members of every user group, or what is wrong with the first that is unknown."""
    entries = (rules.snapshot().voters, rules.requesters, rules.viewers, rules.break_glass)
    for group in policy.group_ids(*entries):
        try:
            await directory.members_of(group)
        except UpstreamRefused as error:
            said = f"the user group {group} is unknown or disabled ({error.upstream_code})"
            mend = "take its id from Slack's page of user groups, or enable it"
            return failed("", said, mend)
    return await Eligibility(directory).groups(rules.snapshot().voters)


async def _count(what: str, rules: Policy, directory: Directory, groups: policy.Groups) -> Finding:
    """Ask about people until there are enough; a group may be large."""
    named = [entry for entry in rules.snapshot().voters if entry not in groups]
    unknown = [slack_id for slack_id in named if not await _exists(directory, slack_id)]
    if unknown:
        said = f"Slack knows no {', '.join(unknown)}"
        return failed(what, said, "take the ids from the people's profiles (Copy member ID)")
    if rules.votes == 0:
        return ok(what, "no votes needed for what somebody asks for")
    persons: set[str] = set()
    for slack_id in _each(named, groups):
        member = facts_of(await directory.member(slack_id))
        if policy.standing(member, team_id=directory.team_id) is None:
            persons.add(member.person)
        if len(persons) > rules.votes:
            return ok(what, f"{_votes(rules)}, enough reviewers")
    if len(persons) < rules.votes:
        said = f"{_votes(rules)}, but only {len(persons)} may vote"
        return failed(what, said, f"name more under [policy.{env_of(what)}] reviewers")
    return note(what, f"{_votes(rules)} and as many reviewers: none of them may ask")


def _votes(rules: Policy) -> str:
    return f"{rules.votes} vote{'s' * (rules.votes != 1)} needed"


def env_of(what: str) -> str:
    """The environment of a finding about its policy."""
    return what.removeprefix("policy.")


def _each(named: Iterable[str], groups: policy.Groups) -> list[str]:
    members = (slack_id for members in groups.values() for slack_id in sorted(members))
    return list(dict.fromkeys([*named, *members]))


async def _exists(directory: Directory, slack_id: str) -> bool:
    try:
        await directory.member(slack_id)
    except UpstreamRefused as error:
        if error.upstream_code in NOBODY:
            return False
        raise
    return True
