"""What people made of what was suggested, or of the silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.verdict.incident import Heard
from bot.domain.verdict.score import Count
from bot.domain.words import OutcomeCode
from store.records import AppEnv, Rollback, State, Version, VersionSource

KEPT = timedelta(days=90)  # after which an answer says nothing of the app as it is
_OURS = frozenset({VersionSource.ROLLBACK, VersionSource.PUT_BACK})


class Answer(StrEnum):
    """What became of a suggestion."""

    ACCEPTED = "accepted"  # the suggested version is what people went back to
    REJECTED = "rejected"
    OTHER_VERSION = "other_version"  # people went back, but to another one
    EXPIRED = "expired"  # nobody answered
    OTHERWISE = "otherwise"  # live changed, or it failed: nothing is said of the choice
    MISSED = "missed"  # nothing was suggested, and people went back


SPOKEN = frozenset({Answer.ACCEPTED, Answer.REJECTED})  # what says whether a change did it
_TOLD = 300  # characters of a reason


@dataclass(frozen=True)
class Answered:
    """One suggestion, or a silence after which people went back, and what they made of it.

    `alert` is the name of the alert that its case began with; "" where it has none, because the
    alert is another app's. `reason` is what the person wrote who rejected it.
    """

    where: AppEnv
    alert: str
    at: datetime
    answer: Answer
    reason: str = ""


def answer(rollback: Rollback, *, suggested: str, picked: str | None = None) -> Answer | None:
    """What became of *rollback*, which Keyturn asked for; None while it is open.

    *suggested* is the meaning of the version that it goes to, *picked* that of the one that people
    went back to themselves afterwards, if they did.
    """
    if rollback.open:
        return None
    if rollback.state is State.COMPLETED or rollback.outcome == OutcomeCode.ALREADY_LIVE:
        return Answer.ACCEPTED
    if rollback.state is State.REJECTED:
        return Answer.REJECTED
    if picked is not None:
        return Answer.ACCEPTED if picked == suggested else Answer.OTHER_VERSION
    return Answer.EXPIRED if rollback.outcome == OutcomeCode.EXPIRED else Answer.OTHERWISE


def reason(rollback: Rollback) -> str:
    """What the person wrote who rejected *rollback*; "" where nobody did."""
    rejected = rollback.state is State.REJECTED
    return str(rollback.outcome_facts.get("reason", "")) if rejected else ""


def gone_back_by_hand(
    history: Sequence[Version], *, since: datetime, until: datetime
) -> Version | None:
    """The first publish of somebody between the two times that brought an older content back."""
    before: list[str] = []
    for version in sorted(history, key=lambda v: v.number or 0):
        inside = since < version.published_at <= until and version.source not in _OURS
        if inside and version.meaning in before[:-1] and version.meaning != before[-1]:
            return version
        before.append(version.meaning)
    return None


@dataclass
class Tally:
    """How often people answered in which way."""

    of: Counter[Answer] = field(default_factory=Counter)

    @property
    def accepted(self) -> Count:
        """Those that were accepted among those to which people said something."""
        said = (Answer.ACCEPTED, Answer.REJECTED, Answer.OTHER_VERSION)
        return Count(self.of[Answer.ACCEPTED], sum(self.of[one] for one in said))


def tally(answers: Iterable[Answered]) -> Tally:
    """Count *answers*."""
    return Tally(Counter(one.answer for one in answers))


def tallies(answers: Iterable[Answered], name: Callable[[Answered], str]) -> dict[str, Tally]:
    """Count *answers* for each *name* that they have, by that name."""
    found: dict[str, Tally] = {}
    for one in answers:
        found.setdefault(name(one), Tally()).of[one.answer] += 1
    return dict(sorted(found.items()))


def heard(answers: Iterable[Answered], alert: str) -> Heard:
    """What *answers*, oldest first, say of suggestions when *alert* fired.

    Whoever took another version agreed that a change was to blame, and whoever let one expire said
    nothing: neither counts.
    """
    said = [one for one in answers if one.alert == alert]
    rejected = [one for one in said if one.answer is Answer.REJECTED]
    accepted = sum(one.answer is Answer.ACCEPTED for one in said)
    return Heard(accepted, len(rejected), rejected[-1].reason[:_TOLD] if rejected else "")
