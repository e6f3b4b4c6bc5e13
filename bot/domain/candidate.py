"""Which change looks guilty of an alert, and which version to go back to: the first rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from bot.domain.words import FindingCode
from store.records import Json, Version, VersionSource


@dataclass(frozen=True)
class Choice:
    """What was found: a candidate with its reason, or only the facts.

    `code` and `facts` are those of the catalogue; `suspect` is known without a candidate only
    where nothing sound stands before it. The onset is None where there is no history.
    """

    code: FindingCode
    facts: Mapping[str, Json] = field(default_factory=dict)
    suspect: Version | None = None
    candidate: Version | None = None
    onset_from: datetime | None = None
    onset_to: datetime | None = None


@dataclass(frozen=True)
class _Step:
    """One numbered version and what it changed from."""

    number: int
    version: Version
    changed: bool  # its meaning is not that of the version before it


def choose(
    history: Sequence[Version],
    *,
    live: Version,
    condemned: frozenset[str],
    earliest_starts_at: datetime,
    waited: timedelta,
    lookback: timedelta,
) -> Choice:
    """Choose the version to go back to, or say why there is none to suggest.

    The onset is the interval from *waited* (the alert rules' `for`) before the earliest firing's
    start to that start. The suspect is the newest change in it or, failing that, the newest one
    up to *lookback* before it; two changes inside it cannot be told apart. A version that means
    the same as the one before it (moved boxes) is no change; a rollback of ours is none either,
    and what it rolled back is past. The candidate is the newest version
    before the suspect that is sound: not of a *condemned* meaning and not of the suspect's, so a
    bad version published again never leads back to its first publication. If that is what *live*
    means already, somebody went back by hand and there is nothing to suggest.

    The order of *history* does not matter; versions without a number are ignored. Where its
    oldest version is not number 1 it is cut off there, and that version is not taken for a change.
    """
    steps = _steps(history)
    if not steps:
        return Choice(FindingCode.NO_HISTORY)
    start, end = earliest_starts_at - waited, earliest_starts_at
    told = partial(Choice, onset_from=start, onset_to=end)
    recent = [
        step
        for step in steps
        if step.changed
        and step.number > _rolled_back_by(steps, end)
        and start - lookback <= step.version.published_at <= end
    ]
    if not recent:
        return told(FindingCode.NO_CHANGE, _no_change(steps[-1], lookback))
    inside = [step for step in recent if step.version.published_at >= start]
    if len(inside) > 1:
        facts = {"first": inside[0].number, "second": inside[-1].number}
        return told(FindingCode.TWO_CHANGES, facts)
    suspect = recent[-1]
    candidate = _candidate(steps, suspect, condemned)
    if candidate is None or candidate.version.meaning == live.meaning:
        facts = {"suspect": suspect.number}
        return told(FindingCode.NO_SOUND_VERSION, facts, suspect=suspect.version)
    return told(
        FindingCode.SUGGESTED,
        _suggested(suspect, candidate, start, end),
        suspect=suspect.version,
        candidate=candidate.version,
    )


def _steps(history: Sequence[Version]) -> list[_Step]:
    numbered = {v.number: v for v in history if v.number is not None}
    steps: list[_Step] = []
    for number in sorted(numbered):
        version = numbered[number]
        changed = version.meaning != steps[-1].version.meaning if steps else number == 1
        steps.append(_Step(number, version, changed))
    return steps


def _rolled_back_by(steps: Sequence[_Step], end: datetime) -> int:
    """The number of our newest rollback up to *end*: what came before it was live no more."""
    ours = (
        step.number
        for step in steps
        if step.version.source is VersionSource.ROLLBACK and step.version.published_at <= end
    )
    return max(ours, default=0)


def _candidate(steps: Sequence[_Step], suspect: _Step, condemned: frozenset[str]) -> _Step | None:
    sound = (
        step
        for step in reversed(steps)
        if step.number < suspect.number
        and step.version.meaning not in condemned
        and step.version.meaning != suspect.version.meaning
    )
    return next(sound, None)


def _suggested(suspect: _Step, candidate: _Step, start: datetime, end: datetime) -> dict[str, Json]:
    return {
        "suspect": suspect.number,
        "candidate": candidate.number,
        "published_at": _iso(suspect.version.published_at),
        "onset_from": _iso(start),
        "onset_to": _iso(end),
        "minutes": _minutes(end - suspect.version.published_at),
        "drift": suspect.version.source is VersionSource.DRIFT,
    }


def _no_change(newest: _Step, lookback: timedelta) -> dict[str, Json]:
    return {
        "lookback_minutes": _minutes(lookback),
        "newest": newest.number,
        "newest_at": _iso(newest.version.published_at),
    }


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
