"""The answer: a version to go back to with its reasons, or why no rollback would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.verdict import around, weigh
from bot.domain.verdict import onset as onsets
from bot.domain.verdict.around import Around
from bot.domain.verdict.belief import BELIEFS, THRESHOLDS, Beliefs, Thresholds
from bot.domain.verdict.incident import Change, Incident
from bot.domain.verdict.onset import Onset
from bot.domain.verdict.suspects import Suspect, condemned, in_order, lived, place, suspects
from bot.domain.verdict.weigh import Cause, Explanation


class Verdict(StrEnum):
    """What came of looking."""

    GO_BACK = "go_back"
    NO_HISTORY = "no_history"
    NO_CHANGE = "no_change"
    TWO_CHANGES = "two_changes"
    NO_SOUND_VERSION = "no_sound_version"
    WENT_BACK = "went_back"
    LOAD = "load"
    UPSTREAM = "upstream"
    PLATFORM = "platform"
    DEPENDENCY = "dependency"
    FLAPPING = "flapping"
    PREDATES = "predates"
    SLOW_DRIFT = "slow_drift"
    OUTSIDE = "outside"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Decision:
    """What is suggested and why. `confidence` is the chance that the suspect did it, 0 to 1.

    Without a `target` it is the chance of what `verdict` says instead.
    """

    verdict: Verdict
    confidence: float
    onset: Onset
    around: Around
    explanations: Sequence[Explanation] = field(default_factory=tuple)
    suspect: Suspect | None = None
    target: Change | None = None
    name: str = ""  # of the upstream or dependency


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
    best = found[0]

    def told(verdict: Verdict, confidence: float, **more: object) -> Decision:
        return Decision(verdict, confidence, onset, seen, found, **more)  # type: ignore[arg-type]

    if best.cause is not Cause.CHANGE or best.suspect is None:
        return told(_why_not(incident, best, onset, mine), best.chance, name=best.name)
    if best.chance < thresholds.sure:
        return told(_unsure(found, thresholds), best.chance, suspect=best.suspect)
    target = _target(incident, best.suspect, onset)
    if target is None:
        return told(Verdict.NO_SOUND_VERSION, best.chance, suspect=best.suspect)
    live = in_order(incident, target.where)[-1]
    if live.content == target.content:
        return told(Verdict.WENT_BACK, best.chance, suspect=best.suspect)
    return told(Verdict.GO_BACK, best.chance, suspect=best.suspect, target=target)


def _target(incident: Incident, suspect: Suspect, onset: Onset) -> Change | None:
    """The newest version before *suspect* that is not known to be bad and differs from it."""
    where = suspect.change.where
    steps = in_order(incident, where)
    bad = condemned(incident, where, onset if where == incident.where else None)
    before = [c for c in steps if c.at < suspect.change.at]
    sound = (
        c for c in reversed(before) if c.content not in bad and c.content != suspect.change.content
    )
    return next(sound, None)


def _unsure(found: Sequence[Explanation], thresholds: Thresholds) -> Verdict:
    changes = [one for one in found if one.cause is Cause.CHANGE]
    together = sum(one.chance for one in changes[:2])
    return Verdict.TWO_CHANGES if together >= thresholds.sure else Verdict.UNSURE


def _why_not(
    incident: Incident, best: Explanation, onset: Onset, mine: Sequence[Change]
) -> Verdict:
    outside = {
        Cause.LOAD: Verdict.LOAD,
        Cause.UPSTREAM: Verdict.UPSTREAM,
        Cause.PLATFORM: Verdict.PLATFORM,
        Cause.DEPENDENCY: Verdict.DEPENDENCY,
    }
    if not mine:
        return Verdict.NO_HISTORY
    if onset.past.flapping:
        return Verdict.FLAPPING
    if best.cause in outside:
        return outside[best.cause]
    end = onset.began[1]
    if any(end < c.at.timestamp() <= incident.decided_at.timestamp() for c in mine):
        return Verdict.PREDATES
    return Verdict.SLOW_DRIFT if onset.slow > 0.5 else Verdict.OUTSIDE


__all__ = ["Decision", "Verdict", "decide", "lived", "place"]
