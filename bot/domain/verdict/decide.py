"""The answer: a version to go back to with its reasons, or why no rollback would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.verdict import around, weigh
from bot.domain.verdict import onset as onsets
from bot.domain.verdict.around import SURGE, Around
from bot.domain.verdict.belief import BELIEFS, THRESHOLDS, Beliefs, Thresholds
from bot.domain.verdict.incident import Change, Incident
from bot.domain.verdict.onset import Onset
from bot.domain.verdict.suspects import Suspect, condemned, in_order, suspects
from bot.domain.verdict.weigh import Cause, Explanation
from store.records import AppEnv


class Verdict(StrEnum):
    """What came of looking."""

    GO_BACK = "go_back"
    NO_HISTORY = "no_history"
    NO_CHANGE = "no_change"
    TWO_CHANGES = "two_changes"
    NO_SOUND_VERSION = "no_sound_version"
    WENT_BACK = "went_back"
    OVER = "over"
    LOAD = "load"
    UPSTREAM = "upstream"
    PLATFORM = "platform"
    DEPENDENCY = "dependency"
    FLAPPING = "flapping"
    PREDATES = "predates"
    SLOW_DRIFT = "slow_drift"
    OUTSIDE = "outside"
    UNSURE = "unsure"


OVER_S = 300.0  # after which trouble that ended is over; twice that while its alert still fires
_OUTSIDE = {
    Cause.LOAD: Verdict.LOAD,
    Cause.UPSTREAM: Verdict.UPSTREAM,
    Cause.PLATFORM: Verdict.PLATFORM,
    Cause.DEPENDENCY: Verdict.DEPENDENCY,
}


@dataclass(frozen=True)
class Decision:
    """What is suggested and why. `confidence` is the chance that the suspect did it, 0 to 1.

    Without a suspect it is the chance that no change did it. There is a `target` where something
    is suggested, and where there is no more need to: people went back to it, or it is over.
    """

    verdict: Verdict
    confidence: float
    onset: Onset
    around: Around
    explanations: Sequence[Explanation] = field(default_factory=tuple)
    suspect: Suspect | None = None
    target: Change | None = None
    name: str = ""  # of the upstream or dependency

    @property
    def about(self) -> AppEnv | None:
        """The app that was changed; None without a suspect."""
        return self.suspect.change.where if self.suspect else None

    @property
    def suggested(self) -> Change | None:
        """The version to go back to; None where no rollback is suggested."""
        return self.target if self.verdict is Verdict.GO_BACK else None


def decide(
    incident: Incident,
    *,
    of: Beliefs = BELIEFS,
    thresholds: Thresholds = THRESHOLDS,
) -> Decision:
    """Say which change is behind *incident* and which version was the last good one, or why not."""
    mine = in_order(incident, incident.where)
    onset = onsets.find(incident, mine)
    seen = around.look(incident, onset.began)
    uses = {name: list(app.depends_on) for name, app in incident.apps.items()}
    hops = weigh.reach(incident.where.app, uses)
    accused = suspects(incident, hops, onset, of=of, thresholds=thresholds)
    found = weigh.explanations(incident, accused, onset, seen, of)
    changes = [one for one in found if one.suspect is not None]
    nobody = 1 - sum(one.chance for one in changes)
    if not changes or nobody >= changes[0].chance:
        best = next(one for one in found if one.suspect is None)
        verdict = _why_not(incident, best, onset, seen, accused)
        name = best.name if verdict in _OUTSIDE.values() else ""
        return Decision(verdict, nobody, onset, seen, found, name=name)
    likeliest = changes[0]
    told = Decision(Verdict.UNSURE, likeliest.chance, onset, seen, found, likeliest.suspect)
    sure = thresholds.sure if onset.turn is not None else thresholds.sure_by_time
    if likeliest.chance < sure:
        return replace(told, verdict=_unsure(found, sure))
    return _back(incident, told)


def _back(incident: Incident, told: Decision) -> Decision:
    """Whereto *told*, which is sure of its suspect, says to go back, if there is any need."""
    if told.suspect is None:
        return told
    target = _target(incident, told.suspect, told.onset)
    if target is None:
        return replace(told, verdict=Verdict.NO_SOUND_VERSION)
    steps = in_order(incident, target.where)
    kept = [c for c in steps if _key(c) <= _key(target)][-1]
    if steps[-1].content == kept.content:
        return replace(told, verdict=Verdict.WENT_BACK, target=target)
    verdict = Verdict.OVER if _over(incident, told.onset) else Verdict.GO_BACK
    return replace(told, verdict=verdict, target=target)


def _over(incident: Incident, onset: Onset) -> bool:
    """Whether the trouble has ended, and for long enough not to be a lull."""
    if onset.ended is None:
        return False
    lull = incident.decided_at.timestamp() - onset.ended
    return lull >= (OVER_S if incident.alert.ends_at is not None else 2 * OVER_S)


def _target(incident: Incident, suspect: Suspect, onset: Onset) -> Change | None:
    """The newest version before *suspect* that is not known to be bad and differs from it.

    Of versions with one meaning it is the last, which has the drawing that people last saw.
    """
    where = suspect.change.where
    steps = in_order(incident, where)
    begun = onset.began[0]
    bad = condemned(incident, where, onset if where == incident.where else None, begun=begun)
    bad |= incident.mute.get(where, frozenset())
    before = [c for c in steps if _key(c) < _key(suspect.change)]
    sound = (
        number
        for number in reversed(range(len(before)))
        if before[number].content not in bad and before[number].content != suspect.change.content
    )
    found = next(sound, None)
    if found is None:
        return None
    until = _key(before[found + 1] if found + 1 < len(before) else suspect.change)
    same = (c for c in incident.changes if c.where == where and _key(before[found]) <= _key(c))
    return max((c for c in same if _key(c) < until), key=_key)


def _key(change: Change) -> tuple[datetime, int]:
    return change.at, change.number


def _unsure(found: Sequence[Explanation], sure: float) -> Verdict:
    accused = [(one.suspect.change.where, one.chance) for one in found if one.suspect is not None]
    if len(accused) < 2:
        return Verdict.UNSURE
    (first, likely), (second, less) = accused[:2]
    both = first == second and likely + less >= sure
    return Verdict.TWO_CHANGES if both else Verdict.UNSURE


def _why_not(
    incident: Incident,
    best: Explanation,
    onset: Onset,
    seen: Around,
    accused: Sequence[Suspect],
) -> Verdict:
    mine = in_order(incident, incident.where)
    if not mine:
        return Verdict.NO_HISTORY
    if onset.past.flapping:
        return Verdict.FLAPPING
    if best.cause in _OUTSIDE and _shows(best, seen):
        return _OUTSIDE[best.cause]
    if any(c.at.timestamp() > onset.began[1] for c in mine):
        return Verdict.PREDATES
    if onset.slow > 0.5:
        return Verdict.SLOW_DRIFT
    return Verdict.OUTSIDE if accused else Verdict.NO_CHANGE


def _shows(best: Explanation, seen: Around) -> bool:
    """Whether something was seen of a cause, which is not blamed for being likely alone."""
    match best.cause:
        case Cause.LOAD:
            return seen.surge is not None and seen.surge >= SURGE
        case Cause.DEPENDENCY:
            return seen.turned.get(best.name) is True
    return any(seen.turned.values())
