"""What looking for a candidate brought, as the case's finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

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
from bot.services.looking.judge import Judgement
from store.records import (
    AppEnv,
    Case,
    Finding,
    Firing,
    Json,
    NewRollback,
    Rollback,
    State,
    SuggestionsPaused,
    Version,
)

# What moves a little whenever more was measured: a card is not drawn anew for that.
_NUMBERS = frozenset(
    {
        *("reasons", "percent", "onset_from", "onset_to", "minutes", "times", "apps", "measured"),
        *("name", "count", "since", "first", "second"),
    }
)
BY_TIME = 0.9  # no more is said where nothing was measured
_CODES = {"go_back": FindingCode.SUGGESTED}  # what a verdict says in other words

if TYPE_CHECKING:
    from bot.domain.verdict.decide import Decision


def same_words(before: Finding | None, after: Finding) -> bool:
    """Whether the card says of *after* what it said of *before*, numbers that drift aside."""
    if before is None or before.code != after.code:
        return False
    drifts = _NUMBERS if "reasons" in after.facts else frozenset()
    names = (before.facts.keys() | after.facts.keys()) - drifts
    return all(before.facts.get(name) == after.facts.get(name) for name in names)


def rejected(before: Rollback | None, new: NewRollback) -> bool:
    """Whether people said no to exactly this: they are not asked again by us."""
    return (
        before is not None
        and not before.drill
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


def suggestions_paused(finding: Finding, paused: SuggestionsPaused) -> Finding:
    """The suggestion *finding* as facts only, because a person paused suggestions."""
    facts: dict[str, Json] = {
        "slack_id": paused.slack_id,
        "until": paused.until.astimezone(UTC).isoformat(),
        "reason": paused.reason,
    }
    code = FindingCode.SUGGESTIONS_PAUSED
    return replace(finding, code=code, facts={**finding.facts, **facts})


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


def of_decision(judged: Judgement, *, live: Version, firings: Sequence[Firing]) -> Finding:
    """What *judged* says because of *firings*, in the app of which *live* answers.

    Of which rows its versions are is not said: `with_versions` does that.
    """
    from bot.domain.verdict.reasons import percent, reasons  # with numpy, so late

    incident, decision = judged.incident, judged.decision
    began = [datetime.fromtimestamp(at, UTC) for at in decision.onset.began]
    facts: dict[str, Json] = {
        "newest": live.number,
        "newest_at": _iso(live.published_at),
        "onset_from": _iso(began[0]),
        "onset_to": _iso(began[1]),
        "percent": percent(_told(decision)),
        "measured": decision.onset.turn is not None,
        "reasons": [
            {"code": one.code.value, **({"late": True} if judged.late else {}), **one.facts}
            for one in reasons(incident, decision)
        ],
    }
    return Finding(
        code=FindingCode(_CODES.get(decision.verdict.value, decision.verdict.value)),
        facts=facts | _of_suspect(decision, incident.where) | _of_cause(decision),
        onset_from=began[0],
        onset_to=began[1],
        newest_firing_id=max(firing.id for firing in firings),
    )


def with_versions(finding: Finding, history: Sequence[Version]) -> Finding:
    """*finding* with the rows of the versions of *history* that it names."""
    rows = {version.number: version.id for version in history}
    return replace(
        finding,
        suspect_id=rows.get(finding.facts.get("suspect")),
        candidate_id=rows.get(finding.facts.get("candidate")),
    )


def behind(finding: Finding, there: AppEnv, rollback: int) -> Finding:
    """The suggestion *finding* is about *there*, which has a card of its own."""
    facts = {**finding.facts, "where_of": str(there), "rollback": rollback}
    return replace(finding, code=FindingCode.BEHIND, facts=facts)


def for_caller(finding: Finding, caller: Case) -> Finding:
    """The suggestion *finding* on the card of the app that it is about, because of *caller*."""
    facts = {**finding.facts, "caller": str(caller.where), "case": caller.id}
    return replace(finding, code=FindingCode.SUGGESTED_BEHIND, facts=facts, newest_firing_id=0)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _told(decision: Decision) -> float:
    """How sure is said to be: times alone leave more open than the sum can know."""
    by_time = decision.onset.turn is None and decision.suspect is not None
    return min(decision.confidence, BY_TIME) if by_time else decision.confidence


def _of_suspect(decision: Decision, where: AppEnv) -> dict[str, Json]:
    suspect = decision.suspect
    if suspect is None:
        return {}
    change = suspect.change
    seconds = decision.onset.began[0] - change.at.timestamp()
    told: dict[str, Json] = {
        "suspect": change.number,
        "published_at": _iso(change.at),
        "minutes": max(int(seconds // 60), 0),
        "drift": bool(change.late),
    }
    if change.where != where:
        told["of_app"] = str(change.where)
    if decision.target is not None:
        told["candidate"] = decision.target.number
    others = [one.suspect for one in decision.explanations if one.suspect is not None][:2]
    if len(others) == 2:
        first, second = sorted((other.change for other in others), key=lambda c: (c.at, c.number))
        told |= {"first": first.number, "second": second.number}
    return told


def _of_cause(decision: Decision) -> dict[str, Json]:
    """What fills the sentences that say why no rollback would help."""
    past, around = decision.onset.past, decision.around
    told: dict[str, Json] = {
        "name": decision.name,
        "times": round(around.surge or 0.0, 1),
        "apps": sorted(app for app, moved in around.turned.items() if moved),
    }
    if past.flaps:
        since = datetime.fromtimestamp(past.flaps[0].began, UTC)
        told |= {"count": len(past.flaps), "since": _iso(since)}
    return told


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
