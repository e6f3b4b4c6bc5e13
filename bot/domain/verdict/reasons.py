"""What a decision rests on, as codes with facts: the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.verdict import runs, weigh
from bot.domain.verdict.around import SURGE
from bot.domain.verdict.decide import Decision, Verdict
from bot.domain.verdict.incident import Change, Incident
from bot.domain.verdict.line import value
from bot.domain.verdict.onset import Onset, Source
from bot.domain.verdict.suspects import in_order, lived
from bot.domain.words import EvidenceCode
from store.records import Json

_NOT_WORTH = 0.01  # a chance below which another explanation is not named
_SOON_S = 20 * 60.0


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for the decision, or against it."""

    code: EvidenceCode
    facts: Mapping[str, Json]


def reasons(incident: Incident, decision: Decision) -> list[Reason]:
    """Return what was seen and what it means; never empty."""
    return [
        *_onset(decision.onset),
        *_heard(incident, decision),
        *_suspect(incident, decision),
        *_runs(incident, decision),
        *_past(decision.onset),
        *_around(decision),
        *_later(incident, decision),
        *_target(incident, decision),
        *_instead(decision),
    ]


def _onset(onset: Onset) -> Iterator[Reason]:
    began = {"from": _iso(onset.began[0]), "to": _iso(onset.began[1])}
    if onset.turn is not None:
        turn = onset.turn
        metric = turn.line.metric
        levels = {"usual": value(metric, turn.usual), "now": value(metric, turn.now)}
        yield Reason(EvidenceCode.ONSET_METRIC, {"metric": metric.value, **levels, **began})
        if onset.slow > 0.5:
            yield Reason(EvidenceCode.ROSE_SLOWLY, {})
        return
    if onset.source is Source.ALERTS:
        since = _iso(onset.past.since)
        yield Reason(EvidenceCode.ONSET_ALERTS, {**began, "since": since})
    else:
        yield Reason(EvidenceCode.ONSET_STARTS_AT, began)
    yield Reason(EvidenceCode.NOT_MEASURED, {})


def _heard(incident: Incident, decision: Decision) -> Iterator[Reason]:
    """What made a change of this app less likely, also where that let another cause come first."""
    heard = incident.heard
    own = any(one.suspect and one.suspect.hops == 0 for one in decision.explanations)
    if heard.rejected and own:
        counts: dict[str, Json] = {
            "rejected": heard.rejected,
            "count": heard.accepted + heard.rejected,
        }
        facts = {"alert": incident.alert.name, "reason": heard.last, **counts}
        yield Reason(EvidenceCode.REJECTED_HERE, facts)


def _suspect(incident: Incident, decision: Decision) -> Iterator[Reason]:
    suspect = decision.suspect
    if suspect is None:
        return
    version = named(suspect.change)
    seconds = weigh.near(decision.onset) - suspect.change.at.timestamp()
    code = EvidenceCode.SOON_AFTER if seconds < _SOON_S else EvidenceCode.LATE_AFTER
    yield Reason(code, {"version": version, "seconds": round(max(seconds, 0.0), 1)})
    if suspect.change.kinds:
        kinds: list[Json] = sorted(suspect.change.kinds)
        yield Reason(EvidenceCode.TOUCHED, {"version": version, "kinds": kinds})
    if suspect.hops:
        facts: dict[str, Json] = {"version": version, "app": str(incident.where)}
        yield Reason(EvidenceCode.CALLED, facts)
    if suspect.again:
        yield Reason(EvidenceCode.BAD_BEFORE, {"version": version})
    if suspect.proven:
        yield Reason(EvidenceCode.PROVEN, {"version": version})


def _runs(incident: Incident, decision: Decision) -> Iterator[Reason]:
    """How the runs of the suspect's app ended, where there are enough of them."""
    suspect = decision.suspect
    seen = runs.split(incident, suspect.change) if suspect is not None else None
    if suspect is None or seen is None:
        return
    facts: dict[str, Json] = {
        "version": named(suspect.change),
        "later": seen.later,
        "failed": seen.after.failed,
        "all": seen.after.all,
        "before_failed": seen.before.failed,
        "before_all": seen.before.all,
    }
    yield Reason(EvidenceCode.RUNS, facts)


def _past(onset: Onset) -> Iterator[Reason]:
    flaps = onset.past.flaps
    if onset.past.flapping:
        facts: dict[str, Json] = {"count": len(flaps), "since": _iso(flaps[0].began)}
        yield Reason(EvidenceCode.COMES_AND_GOES, facts)


def _around(decision: Decision) -> Iterator[Reason]:
    turned = decision.around.turned
    too = sorted(app for app, moved in turned.items() if moved)
    calm = sorted(app for app, moved in turned.items() if moved is False)
    if too:
        yield Reason(EvidenceCode.TURNED_TOO, {"apps": list(too)})
    if calm:
        yield Reason(EvidenceCode.STAYED_CALM, {"apps": list(calm)})
    surge = decision.around.surge
    if surge is not None:
        code = EvidenceCode.LOAD_GREW if surge >= SURGE else EvidenceCode.LOAD_EVEN
        yield Reason(code, {"times": round(surge, 2)})


def _later(incident: Incident, decision: Decision) -> Iterator[Reason]:
    end = decision.onset.began[1]
    where = decision.suspect.change.where if decision.suspect else incident.where
    after = [c for c in in_order(incident, where) if c.at.timestamp() > end]
    if after:
        yield Reason(EvidenceCode.CAME_LATER, {"versions": [named(c) for c in after]})


def _target(incident: Incident, decision: Decision) -> Iterator[Reason]:
    target = decision.target
    if target is None or decision.suspect is None:
        return
    until = decision.suspect.change.at
    before = [c for c in in_order(incident, target.where) if c.at < until]
    seconds = lived(before, target.content, until=until.timestamp())
    facts: dict[str, Json] = {"version": named(target), "seconds": round(seconds, 1)}
    yield Reason(EvidenceCode.TARGET_ANSWERED, facts)


def _instead(decision: Decision) -> Iterator[Reason]:
    """The likeliest explanation beside the one that was decided on."""
    told = decision.verdict in {Verdict.GO_BACK, Verdict.UNSURE, Verdict.TWO_CHANGES}
    for other in decision.explanations:
        if other.suspect is not None and other.suspect is decision.suspect:
            continue
        if not told and other.suspect is None and other.name == decision.name:
            continue
        if other.chance >= _NOT_WORTH:
            name = named(other.suspect.change) if other.suspect else other.name
            yield Reason(
                EvidenceCode.INSTEAD,
                {"cause": other.cause.value, "name": name, "percent": percent(other.chance)},
            )
        return


def percent(chance: float) -> int:
    """A *chance* in whole percent; never 0 or 100, which nobody can know."""
    return min(max(round(chance * 100), 1), 99)


def named(change: Change) -> str:
    """What people call a version: `app@env v7`."""
    return f"{change.where} v{change.number}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
