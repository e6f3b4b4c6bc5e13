"""What must fit together within a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from pydantic_core import PydanticCustomError

from bot.config import fields
from bot.config.mistakes import Mistakes, at
from bot.config.raw import Raw, tables, texts

_SIGNATURES = 2  # under the review of what ran by break-glass
_ALSO_VOTE = ("each_of", "backups")


def _quorum_can_be_reached(raw: Raw, mistakes: Mistakes) -> None:
    """A quorum of named people needs as many humans, whatever the number of their accounts."""
    aliases = at(raw, "people", "aliases")
    persons = aliases if isinstance(aliases, Mapping) else {}
    for env in tables(raw, "policy"):
        lists = [texts(at(raw, "policy", env, name)) for name in ("reviewers", *_ALSO_VOTE)]
        voters = [who for some in lists for who in some]
        needed = max([_votes(raw, env), *_raised(raw, env), 0])
        if len(lists[1]) > needed:
            sentence = f"names {len(lists[1])}, another person each, but {needed} votes are needed"
            mistakes.add(("policy", env, "each_of"), f"{sentence}: raise `votes`")
        if not voters or any(who.startswith("S") for who in voters):
            continue
        people = len({str(persons.get(who, who)) for who in voters})
        vetoes = at(raw, "policy", env, "vetoes")
        if type(vetoes) is int and vetoes > people:
            sentence = f"is more than the {people} who may vote, so nothing could be rejected"
            mistakes.add(("policy", env, "vetoes"), sentence)
        if people < needed:
            sentence = (
                f"{people} named but {needed} votes needed, so nothing could ever be approved"
            )
            mistakes.add(("policy", env, "reviewers"), sentence)


def _what_breaks_glass_can_be_reviewed(raw: Raw, mistakes: Mistakes) -> None:
    """Two others have to sign, and who needs no vote must not come in by this name."""
    aliases = at(raw, "people", "aliases")
    persons = aliases if isinstance(aliases, Mapping) else {}
    for env in tables(raw, "policy"):
        breakers = texts(at(raw, "policy", env, "break_glass"))
        if not breakers:
            continue
        if _votes(raw, env) == 0:
            sentence = "with `votes = 0` whoever may ask needs nobody: name them in `requesters`"
            mistakes.add(("policy", env, "break_glass"), sentence)
        lists = [texts(at(raw, "policy", env, name)) for name in ("reviewers", *_ALSO_VOTE)]
        voters = [who for some in lists for who in some]
        if any(who.startswith("S") for who in voters):
            continue
        people = {str(persons.get(who, who)) for who in voters}
        alone = [{str(persons.get(who, who))} for who in breakers if not who.startswith("S")]
        if min((len(people - own) for own in alone), default=len(people)) < _SIGNATURES:
            sentence = "needs two other reviewers to sign the review: name more in `reviewers`"
            mistakes.add(("policy", env, "break_glass"), sentence)


def _votes(raw: Raw, env: str) -> int:
    votes = at(raw, "policy", env, "votes")
    return votes if type(votes) is int else 2


def _raised(raw: Raw, env: str) -> list[int]:
    """The votes that are needed for apps that matter more, and for what is risky."""
    names = ("votes_by_criticality", "votes_by_risk")
    raised = [at(raw, "policy", env, name) for name in names]
    values = [votes for said in raised if isinstance(said, Mapping) for votes in said.values()]
    return [votes for votes in values if type(votes) is int]


def _nobody_is_needed_only_where_somebody_may_ask(raw: Raw, mistakes: Mistakes) -> None:
    for env in tables(raw, "policy"):
        askers = [at(raw, "policy", env, name) for name in ("requesters", "reviewers", *_ALSO_VOTE)]
        if _votes(raw, env) == 0 and not any(map(texts, askers)):
            sentence = "name who may ask: with `votes = 0` nobody else is needed"
            mistakes.add(("policy", env, "requesters"), sentence)


def _reminders_come_in_time(raw: Raw, mistakes: Mistakes) -> None:
    for env in tables(raw, "policy"):
        open_for = _duration(at(raw, "policy", env, "open_for"), "30m")
        for name in ("remind_after", "escalate_after"):
            after = _duration(at(raw, "policy", env, name))
            if after is not None and open_for is not None and after >= open_for:
                mistakes.add(("policy", env, name), "must be shorter than `open_for`")
        kept = _duration(at(raw, "retention", "outbox"), "90d")
        if open_for is not None and kept is not None and open_for >= kept:
            sentence = "must be shorter than `retention.outbox`, which knows who was reminded"
            mistakes.add(("policy", env, "open_for"), sentence)
        if texts(at(raw, "policy", env, "backups")) and open_for is not None:
            _backups_are_called_last(raw, env, open_for, mistakes)


def _backups_are_called_last(raw: Raw, env: str, open_for: timedelta, mistakes: Mistakes) -> None:
    remind = _duration(at(raw, "policy", env, "remind_after")) or open_for / 2
    escalate = _duration(at(raw, "policy", env, "escalate_after")) or open_for * 3 / 4
    if remind >= escalate:
        mistakes.add(("policy", env, "remind_after"), "must be shorter than `escalate_after`")


def _duration(value: object, default: str | None = None) -> timedelta | None:
    said = default if value is None else value
    try:
        return None if said is None else fields.duration(said)
    except PydanticCustomError:
        return None  # said with its own mistake


POLICY_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _quorum_can_be_reached,
    _nobody_is_needed_only_where_somebody_may_ask,
    _reminders_come_in_time,
    _what_breaks_glass_can_be_reviewed,
)
