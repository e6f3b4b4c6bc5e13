"""What the steps of a rollback and new versions are called for the world outside. Pure.

A kind is the type of an event without the prefix of all of ours. Its data are ids, states, roots,
times and codes: nothing that people wrote, nothing of a prompt, an alert or a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from store.records import (
    AppEnv,
    Choice,
    Execution,
    Glass,
    Json,
    Recovery,
    RecoveryState,
    Rollback,
    Signature,
    Version,
    VersionKind,
    VersionSource,
    Vote,
)

_T = TypeVar("_T")
Happened = tuple[str, dict[str, Json]]  # a kind, and its data

NEW, IMPORTED, DRIFT = "version.new", "version.imported", "drift.noticed"
CONDEMNED, LIFTED = "version.condemned", "version.lifted"
VOTED, VOTE_VOIDED = "rollback.voted", "rollback.vote_voided"
GLASS, GLASS_VOIDED = "rollback.glass", "rollback.glass_voided"
STEP, CHANGED = "rollback.step", "rollback.changed"
SIGNED, REVIEWED = "rollback.signed", "rollback.reviewed"
RECOVERIES: Mapping[RecoveryState, str] = {
    RecoveryState.WATCHED: "rollback.watched",
    RecoveryState.RECOVERED: "rollback.recovered",
    RecoveryState.NOT_RECOVERED: "rollback.not_recovered",
    RecoveryState.UNKNOWN: "rollback.recovery_unknown",
}


def opened(rollback: Rollback, numbers: Mapping[int, int | None]) -> Happened:
    """The first event of *rollback*; *numbers* are those of its versions, by their ids."""
    legs = [
        {
            "app": leg.where.app,
            "env": leg.where.env,
            "from_id": leg.from_version_id,
            "from_version": numbers.get(leg.from_version_id),
            "to_id": leg.to_version_id,
            "to_version": numbers.get(leg.to_version_id),
            "live_root": leg.live_root,
            "expected_root": leg.expected_root,
            "change_digest": leg.change_digest,
        }
        for leg in rollback.legs
    ]
    return _state(rollback), {
        **_common(rollback),
        "case": rollback.case_id,
        "requested_by": {
            "person": rollback.requested_by,
            "slack_id": rollback.requested_slack_id,
        },
        "legs": legs,
        "content_digest": rollback.content_digest,
        "votes_needed": rollback.policy.votes,
        "parent": rollback.parent_id,
        "opened_at": _when(rollback.opened_at),
        "expires_at": _when(rollback.expires_at),
    }


def steps(before: Rollback, after: Rollback) -> list[Happened]:
    """What happened from *before* to *after*, in the order in which it is told."""
    found = list(_steps(before, after))
    common = _common(after)
    if not found and common != {**_common(before), "revision": after.revision}:
        found = [(CHANGED, {})]
    return [(kind, {**common, **data}) for kind, data in found]


def recorded(version: Version, *, imported: bool) -> list[Happened]:
    """What is told of a *version* that was stored; *imported* is an older one of its history."""
    if version.kind is VersionKind.DRAFT:
        return []
    data: dict[str, Json] = {
        "id": version.id,
        "version": version.number,
        "kind": version.kind.value,
        "source": version.source.value,
        "root": version.root,
        "meaning": version.meaning,
        "external_id": version.external_id,
        "published_at": _when(version.published_at),
    }
    kinds = [IMPORTED if imported else NEW]
    if version.source is VersionSource.DRIFT:
        kinds.append(DRIFT)
    return [(kind, data) for kind in kinds]


def execution_of(execution: Execution) -> dict[str, Json]:
    """What of an *execution* is told."""
    return {
        "step": execution.step.value,
        "leg": execution.position,
        "backwards": execution.backwards,
        "attempt": execution.attempt,
        "published_id": execution.published_version_id,
        "clicked_at": _when(execution.clicked_at),
        "verified_at": _when(execution.verified_at),
        "done": [
            {"leg": done.position, "published_id": done.published_version_id, "back": done.back}
            for done in execution.done
        ],
    }


def _steps(before: Rollback, after: Rollback) -> Iterator[Happened]:
    yield from _given(before, after)
    execution = execution_of(after.execution)
    if execution != execution_of(before.execution):
        yield STEP, {"execution": execution}
    if after.state is not before.state:
        yield _state(after), {"outcome": after.outcome, "finished_at": _when(after.finished_at)}
    if after.recovery is not None and after.recovery != before.recovery:
        yield RECOVERIES[after.recovery.state], {"recovery": _recovery(after.recovery)}
    if after.reviewed_at is not None and before.reviewed_at is None:
        yield REVIEWED, {"reviewed_at": _when(after.reviewed_at)}


def _given(before: Rollback, after: Rollback) -> Iterator[Happened]:
    """What people gave their names for, and what of it is void."""
    for number, old, vote in _pairs(before.votes, after.votes):
        if old is None:
            yield VOTED, {"vote": _vote(number, vote)}
        if _is_void_now(old, vote):
            yield VOTE_VOIDED, {"vote": _voided(number, vote)}
    for number, was, glass in _pairs(before.glass, after.glass):
        if was is None:
            yield GLASS, {"glass": _glass(number, glass)}
        if _is_void_now(was, glass):
            yield GLASS_VOIDED, {"glass": _voided(number, glass)}
    for number, signed, signature in _pairs(before.signatures, after.signatures):
        if signed is None:
            yield SIGNED, {"signature": _signature(number, signature)}


def _is_void_now(before: Vote | Glass | None, after: Vote | Glass) -> bool:
    return after.voided_at is not None and (before is None or before.voided_at is None)


def _pairs(old: Sequence[_T], new: Sequence[_T]) -> Iterator[tuple[int, _T | None, _T]]:
    for number, item in enumerate(new):
        yield number, old[number] if number < len(old) else None, item


def _state(rollback: Rollback) -> str:
    return f"rollback.{rollback.state.value.lower()}"


def _common(rollback: Rollback) -> dict[str, Json]:
    return {
        "rollback": rollback.id,
        "state": rollback.state.value,
        "revision": rollback.revision,
        "round": rollback.round,
        "risk": rollback.risk,
        "drill": rollback.drill,
    }


def _vote(number: int, vote: Vote) -> dict[str, Json]:
    return {
        "number": number,
        "person": vote.person,
        "slack_id": vote.slack_id,
        "choice": Choice(vote.choice).value,
        "digest": vote.digest,
        "at": _when(vote.at),
    }


def _glass(number: int, glass: Glass) -> dict[str, Json]:
    return {
        "number": number,
        "person": glass.person,
        "slack_id": glass.slack_id,
        "way": glass.way,
        "in_freeze": glass.in_freeze,
        "digest": glass.digest,
        "at": _when(glass.at),
    }


def _signature(number: int, signature: Signature) -> dict[str, Json]:
    return {
        "number": number,
        "person": signature.person,
        "slack_id": signature.slack_id,
        "at": _when(signature.at),
    }


def _voided(number: int, given: Vote | Glass) -> dict[str, Json]:
    return {
        "number": number,
        "person": given.person,
        "slack_id": given.slack_id,
        "voided_at": _when(given.voided_at),
        "why": given.voided_why,
    }


def _recovery(recovery: Recovery) -> dict[str, Json]:
    return {
        "state": recovery.state.value,
        "since": _when(recovery.since),
        "by": recovery.by,
        "why": recovery.why,
    }


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at is not None else None


def judged(meaning: str, rollback_id: int | None) -> dict[str, Json]:
    """What is told of a *meaning* that was condemned or lifted."""
    return {"meaning": meaning, "rollback": rollback_id}


def apps_of(rollback: Rollback) -> tuple[AppEnv, ...]:
    """Whose events tell of *rollback*: each of its apps', each once."""
    return tuple(dict.fromkeys(leg.where for leg in rollback.legs))
