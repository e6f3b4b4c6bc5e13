"""What is behind an app, as it is told: codes with their facts, and what the record keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain import quorum
from bot.domain.impact import MANY_LOST, USUAL, Impact, Risk, of_legs, risk_of
from bot.domain.redact import redact_text
from bot.domain.words import ImpactCode
from store.records import Json, Leg, Rollback

_Part = dict[str, Json]


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


def line(found: Impact) -> str:
    """Return *found* as a plain line for a dry run, which is read in terminals too."""
    said = [f"{found.risk.value} risk"]
    if found.criticality != USUAL:
        said.append(
            f"{found.criticality} app" + f" ({found.heavier} calls it)" * bool(found.heavier)
        )
    for count, names, does in (
        (found.callers_count, found.callers, "depend on it"),
        (found.pinned_count, found.pinned, "call it as a tool and stay as they are"),
    ):
        if count:
            more = f" and {count - len(names)} more" if count > len(names) else ""
            said.append(f"{count} {does}: {', '.join(map(redact_text, names))}{more}")
    if found.pinned_count is None:
        said.append("who calls it as a tool could not be looked up")
    if found.acts:
        said.append(f"{', '.join(found.acts)} changes")
    if found.lost >= MANY_LOST:
        said.append(f"{found.lost} versions are lost")
    return f"Impact: {'; '.join(said)}"


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
