"""`/rollback who`: who may vote, ask and see, by the policy in force now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.domain import policy
from bot.domain.commands import Who
from bot.domain.impact import RISKS
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import UpstreamRefused
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services.asker import Asker
from bot.services.eligibility import NOBODY, facts_of
from bot.services.sight import Expanded, expand
from bot.services.slash.told import Told
from store.records import AppEnv, Json, PolicySnapshot

MOST_LOOKED_UP = 40  # accounts that Slack is asked about; one call each


@dataclass(frozen=True)
class _Reviewer:
    """A named reviewer; `why` is the code of why they cannot vote, "" when they can."""

    slack_id: str
    person: str
    why: str = ""


class Electorate:
    """Says who may do what in an environment."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        channels: Mapping[AppEnv, str],
        policy_of: Callable[[AppEnv], Policy],
    ) -> None:
        self._store = store
        self._directory = directory
        self._channels = channels
        self._policy_of = policy_of

    async def __call__(self, asker: Asker, asked: Who) -> Told:
        """Return who may vote, ask and see, and what the asker may.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say.
        """
        policy_now = self._policy_of(asked.where)
        rules = policy_now.snapshot()
        async with self._store.read() as tx:
            until = policy_now.freeze.until(await tx.now())
        groups = await expand(self._directory, policy.seen_by(rules))
        named = _people(rules.voters, groups)
        reviewers = await asyncio.gather(*map(self._reviewer, named[:MOST_LOOKED_UP]))
        channel = self._channels.get(asked.where, "")
        shared = bool(channel) and await self._directory.shared_channel(channel)
        askers = (*rules.requesters, *rules.break_glass)
        may = [one for one in reviewers if not one.why and rules.named]
        facts: dict[str, Json] = {
            "where": str(asked.where),
            "env": asked.where.env,
            "named": rules.named,
            "votes": rules.votes,
            "by_risk": _by_risk(policy_now),
            "each_of": list(rules.each_of),
            "backups": list(rules.backups),
            "vetoes": rules.vetoes,
            "exclude_publisher": policy_now.exclude_publisher,
            "breakers": list(rules.break_glass),
            "frozen": until.isoformat() if until is not None else "",
            "minutes": rules.open_for_s // 60,
            "shared": shared,
            "voters": [one.slack_id for one in may],
            "people": len({one.person for one in may}) + len(named[MOST_LOOKED_UP:]),
            "not_looked_up": len(named[MOST_LOOKED_UP:]),
            "barred": [{"slack_id": one.slack_id, "why": one.why} for one in reviewers if one.why],
            "askers": _without(_people(askers, groups), named),
            "viewers": _without(_people(rules.viewers, groups), named, askers, groups),
            "unknown_groups": sorted(groups.refused),
            **_of_asker(asker, rules, groups, shared=shared),
        }
        return Told(AnswerCode.WHO, facts)

    async def _reviewer(self, slack_id: str) -> _Reviewer:
        try:
            member = await self._directory.member(slack_id)
        except UpstreamRefused as error:
            if error.upstream_code not in NOBODY:
                raise
            return _Reviewer(slack_id, slack_id, "unknown")
        bar = policy.standing(facts_of(member), team_id=self._directory.team_id)
        return _Reviewer(slack_id, member.person, bar or "")


def _by_risk(rules: Policy) -> list[dict[str, Json]]:
    """From which risk on more votes are needed, the lowest first."""
    told: list[dict[str, Json]] = []
    votes = rules.votes
    for risk in RISKS:
        if (wanted := rules.votes_by_risk.get(risk.value, 0)) > votes:
            told.append({"risk": risk.value, "votes": wanted})
            votes = wanted
    return told


def _people(entries: Iterable[str], groups: Expanded) -> list[str]:
    """The accounts that *entries* name, by themselves or in a group, each once."""
    found: list[str] = []
    for entry in entries:
        if entry in groups.groups:
            found += sorted(groups.groups[entry])
        elif entry not in groups.refused:
            found.append(entry)
    return list(dict.fromkeys(found))


def _without(
    people: Iterable[str],
    others: Iterable[str],
    more: Iterable[str] = (),
    groups: Expanded | None = None,
) -> list[str]:
    known = {*others, *(_people(more, groups) if groups else ())}
    return [slack_id for slack_id in people if slack_id not in known]


def _of_asker(
    asker: Asker, rules: PolicySnapshot, groups: Expanded, *, shared: bool
) -> dict[str, Json]:
    why = policy.why_not(
        asker.facts,
        policy=rules,
        groups=groups.groups,
        team_id=asker.team_id,
        at_open=None,
        shared_channel=shared,
    )
    may_ask = not shared and policy.may_ask(
        asker.facts, policy=rules, groups=groups.groups, team_id=asker.team_id
    )
    no_glass = policy.why_no_glass(
        asker.facts,
        policy=rules,
        groups=groups.groups,
        team_id=asker.team_id,
        at_open=None,
        shared_channel=shared,
    )
    return {
        "you": asker.slack_id,
        "you_may_vote": why is None,
        "you_may_ask": may_ask,
        "you_may_break": no_glass is None,
    }
