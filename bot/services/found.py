"""What looking for a candidate brought, as the case's finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.candidate import Choice
from bot.domain.words import FindingCode
from bot.errors import (
    AccountLocked,
    LoginRefused,
    NoSuchApp,
    SecretsGone,
    SecretsOutOfReach,
    UpstreamDown,
    UpstreamRefused,
    ValuesMasked,
)
from store.records import Case, Finding, Firing, Json, NewRollback, Rollback, State, Version


def same_words(before: Finding | None, after: Finding) -> bool:
    """Whether the card says of *after* what it said of *before*."""
    return before is not None and (before.code, before.facts) == (after.code, after.facts)


def rejected(before: Rollback | None, new: NewRollback) -> bool:
    """Whether people said no to exactly this: they are not asked again by us."""
    return (
        before is not None
        and before.state is State.REJECTED
        and before.content_digest == new.content_digest
    )


def rejected_before(finding: Finding) -> Finding:
    """The suggestion *finding* as facts only, because people said no to it."""
    facts = {name: finding.facts[name] for name in ("suspect", "candidate")}
    return replace(finding, code=FindingCode.REJECTED_BEFORE, facts=facts)


def frozen(finding: Finding, until: datetime) -> Finding:
    """The suggestion *finding* as facts only, because the policy wants nothing changed now."""
    return replace(
        finding,
        code=FindingCode.FROZEN,
        facts={
            "suspect": finding.facts["suspect"],
            "candidate": finding.facts["candidate"],
            "until": until.astimezone(UTC).isoformat(),
        },
    )


def cooling_down(finding: Finding, *, count: int, cool_down: timedelta, until: datetime) -> Finding:
    """The suggestion *finding* as facts only: it was rolled back too often for that to help."""
    return replace(
        finding,
        code=FindingCode.COOLING_DOWN,
        facts={
            "suspect": finding.facts["suspect"],
            "candidate": finding.facts["candidate"],
            "count": count,
            "minutes": int(cool_down.total_seconds() // 60),
            "until": until.astimezone(UTC).isoformat(),
        },
    )


def of_choice(choice: Choice, firings: Sequence[Firing]) -> Finding:
    """What a look because of *firings* brought."""
    return Finding(
        code=choice.code,
        facts=choice.facts,
        onset_from=choice.onset_from,
        onset_to=choice.onset_to,
        suspect_id=choice.suspect.id if choice.suspect else None,
        candidate_id=choice.candidate.id if choice.candidate else None,
        newest_firing_id=max(firing.id for firing in firings),
    )


def by_hand(finding: Finding, live: Version) -> Finding:
    """The suggestion *finding* for an app that only people can take back."""
    return replace(finding, code=FindingCode.BY_HAND, facts={**finding.facts, "live_id": live.id})


def values_masked(finding: Finding, live: Version, error: ValuesMasked) -> Finding:
    """The suggestion *finding* for an app whose values in *error* cannot be written back."""
    facts = {**finding.facts, "live_id": live.id, "names": list(error.names)}
    return replace(finding, code=FindingCode.VALUES_MASKED, facts=facts)


def not_looked(case: Case, code: FindingCode, **facts: Json) -> Finding:
    """What is in the way; which alerts were looked at, and for which onset, stays as it was."""
    before = case.finding or Finding(code, {})
    return replace(before, code=code, facts=facts, suspect_id=None, candidate_id=None)


def part_of(case: Case, rollback: Rollback) -> Finding:
    """A rollback that has its card elsewhere takes this app back too."""
    card_at = str(rollback.leg.where)
    return not_looked(case, FindingCode.PART_OF, rollback=rollback.id, where_of=card_at)


def taken_back(case: Case, rollback: Rollback) -> Finding:
    """A rollback that has its card elsewhere took this app back."""
    card_at = str(rollback.leg.where)
    return not_looked(case, FindingCode.TAKEN_BACK, rollback=rollback.id, where_of=card_at)


def unreadable(case: Case, error: UpstreamDown | UpstreamRefused) -> Finding:
    """The target cannot be read, so nothing can be said of its changes."""
    code = FindingCode.TARGET_UNREADABLE
    if isinstance(error, LoginRefused | AccountLocked):
        code = FindingCode.TARGET_LOGIN_REFUSED
    elif isinstance(error, NoSuchApp):
        code = FindingCode.TARGET_APP_MISSING
    return not_looked(case, code, system=error.system)


def without_secrets(
    case: Case, error: SecretsOutOfReach | SecretsGone, candidate: Version, system: str
) -> Finding:
    """Going back to *candidate* would leave secrets of *error* without a value."""
    code = FindingCode.SECRETS_OUT_OF_REACH
    if isinstance(error, SecretsGone):
        code = FindingCode.SECRETS_GONE
    names = list(error.names)
    return not_looked(case, code, candidate=candidate.number, names=names, system=system)
