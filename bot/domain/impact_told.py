"""What is behind an app, as it is told: codes with their facts, and what the record keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bot.domain import quorum
from bot.domain.impact import MANY_LOST, USUAL, Impact, Risk, of_legs, risk_of
from bot.domain.redact import redact_text
from bot.domain.words import ImpactCode
from bot.language import IN_ENGLISH, Tongue, message
from store.records import Json, Leg, Rollback

_Part = dict[str, Json]
_LEVELS: Final = (message("low"), message("medium"), message("high"), message("critical"))
_ACTS: Final = (message("code"), message("tool"), message("http"))
_DEPEND: Final = message("%(count)s depend on it: %(names)s")
_CALL_AS_A_TOOL: Final = message("%(count)s call it as a tool and stay as they are: %(names)s")


def told(rollback: Rollback) -> dict[str, Json] | None:
    """Return the facts of `NoteCode.IMPACT`, also for a card; None where nobody looked."""
    found = of_legs(rollback.legs)
    if not found:
        return None
    alone = not rollback.joint
    return {
        "risk": risk_of(rollback.legs),
        "needed": quorum.needed(rollback),
        "raised": bool(rollback.policy.risk),
        "apps": [
            {"where": "" if alone else str(where), "parts": parts(one)}
            for where, one in found.items()
        ],
    }


def worth_a_note(legs: Sequence[Leg]) -> bool:
    """Whether there is more to say in full than that little is known to be behind it."""
    found = of_legs(legs).values()
    return any(one.risk is not Risk.LOW or one.callers or one.pinned for one in found)


def recorded(legs: Sequence[Leg]) -> dict[str, Json]:
    """Return what the audit trail keeps of it, app by app."""
    found = of_legs(legs)
    if not found:
        return {}
    said = {
        str(where): {
            "risk": one.risk.value,
            "callers": list(one.callers),
            "pinned": None if one.pinned_count is None else list(one.pinned),
            "lost": one.lost,
        }
        for where, one in found.items()
    }
    return {"risk": risk_of(legs), "impact": said}


def line(found: Impact, tongue: Tongue = IN_ENGLISH) -> str:
    """Return *found* as a plain line for a dry run, which is read in terminals too."""
    said = [tongue.filled("%(risk)s risk", risk=_level(found.risk, tongue))]
    if found.criticality != USUAL:
        said.append(_weight(found, tongue))
    for count, names, does in (
        (found.callers_count, found.callers, _DEPEND),
        (found.pinned_count, found.pinned, _CALL_AS_A_TOOL),
    ):
        if count:
            named = tongue.filled(", ").join(map(redact_text, names))
            if count > len(names):
                more = count - len(names)
                named = tongue.filled("%(named)s and %(more)s more", named=named, more=more)
            said.append(tongue.filled(does, count=count, names=named))
    if found.pinned_count is None:
        said.append(tongue.filled("who calls it as a tool could not be looked up"))
    if found.acts:
        kinds = [tongue.filled(kind) if kind in _ACTS else kind for kind in found.acts]
        said.append(tongue.filled("%(kinds)s changes", kinds=tongue.filled(", ").join(kinds)))
    if found.lost >= MANY_LOST:
        said.append(tongue.filled("%(count)s versions are lost", count=found.lost))
    return tongue.filled("Impact: %(said)s", said=tongue.filled("; ").join(said))


def _weight(found: Impact, tongue: Tongue) -> str:
    level = _level(found.criticality, tongue)
    if found.heavier:
        return tongue.filled("%(level)s app (%(app)s calls it)", level=level, app=found.heavier)
    return tongue.filled("%(level)s app", level=level)


def _level(level: str, tongue: Tongue) -> str:
    return tongue.filled(level) if level in _LEVELS else level


def parts(found: Impact) -> list[_Part]:
    """Return what is to be said of *found*: each an `ImpactCode` with its facts."""
    return [*_behind(found), *_in_it(found)]


def _behind(found: Impact) -> Iterator[_Part]:
    """Who is behind it."""
    if found.criticality != USUAL:
        yield _part(ImpactCode.WEIGHT, criticality=found.criticality, app=found.heavier)
    if found.callers_count:
        yield _part(ImpactCode.CALLERS, apps=list(found.callers), count=found.callers_count)
    if found.pinned_count is None:
        yield _part(ImpactCode.PINNED_UNKNOWN)
    elif found.pinned_count:
        yield _part(ImpactCode.PINNED, apps=list(found.pinned), count=found.pinned_count)
    elif not found.callers_count:
        yield _part(ImpactCode.NOBODY)
    if found.rate is not None:
        yield _part(ImpactCode.RATE, rate=found.rate)


def _in_it(found: Impact) -> Iterator[_Part]:
    """What is in the difference, and whom it does not reach."""
    if found.acts:
        yield _part(ImpactCode.ACTS, kinds=list(found.acts))
    if found.lost >= MANY_LOST:
        yield _part(ImpactCode.LOST, count=found.lost)
    if found.keeps:
        yield _part(ImpactCode.KEEPS)


def _part(code: ImpactCode, **facts: Json) -> _Part:
    return {"code": code.value, **facts}
