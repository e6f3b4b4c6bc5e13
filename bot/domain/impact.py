"""Who and what is behind an app that a rollback would change, and how much care it takes. Pure.

The rules stand with their reasons in docs/decisions/0033-impact-and-risk.md. What is told is of
the time when the rollback was opened, and no vote binds to it; the votes that it takes are in the
rollback's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from bot.domain.diff.kinds import ChangeKind
from store.records import AppEnv, Json, Leg

NAMED = 20  # apps that are kept by name
MANY_CALLERS = 3  # from here on it is a matter of more than one team
MANY_LOST = 3  # versions that nobody blames
USUAL = "medium"  # the criticality of an app that says none
_ACT = (ChangeKind.CODE, ChangeKind.TOOL, ChangeKind.HTTP)
# Modes in which a conversation keeps the configuration that it began with (upstream's
# api/core/app/apps/message_based_app_generator.py, `_get_app_model_config`).
_KEEP = frozenset({"chat", "agent-chat"})
_KEY = "risk"


class Risk(StrEnum):
    """How much care a rollback takes, the least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


RISKS = tuple(Risk)
_BEGINS = {"low": -1, "medium": 0, "high": 1, "critical": 2}  # steps, by criticality


@dataclass(frozen=True)
class Around:
    """What is known around one app when its rollback is opened.

    `depends_on` and `criticality` are those of the configuration, by app. `pinned` are the apps
    whose live document calls it as a workflow tool, None where nobody could tell. `rate` is in
    requests a second, None where it was not measured. `kinds` counts the difference's changes,
    `lost` the versions that are given up besides the suspect.
    """

    app: str
    mode: str
    depends_on: Mapping[str, Sequence[str]] = field(default_factory=dict)
    criticality: Mapping[str, str] = field(default_factory=dict)
    pinned: Sequence[str] | None = ()
    rate: float | None = None
    kinds: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0

    def weight(self, app: str) -> str:
        return self.criticality.get(app, USUAL)


@dataclass(frozen=True)
class Impact:
    """What a rollback of one app reaches.

    `callers` depend on it, directly or through others, and get the other version at once;
    `pinned` call it as a tool, and stay on the version that the tool was given. Of either only
    `NAMED` are kept by name. `heavier` is the app behind whose criticality the risk is, "" for
    the app itself.
    """

    risk: Risk
    criticality: str
    heavier: str = ""
    callers: tuple[str, ...] = ()
    callers_count: int = 0
    pinned: tuple[str, ...] = ()
    pinned_count: int | None = 0
    keeps: bool = False
    rate: float | None = None
    acts: tuple[str, ...] = ()
    lost: int = 0


def impact(around: Around) -> Impact:
    """Return what a rollback of the app reaches, and its risk."""
    callers = callers_of(around.app, around.depends_on)
    callers.sort(key=lambda app: (-_BEGINS[around.weight(app)], app))
    own = around.weight(around.app)
    heaviest = next((app for app in callers if _BEGINS[around.weight(app)] > _BEGINS[own]), "")
    acts = tuple(kind.value for kind in _ACT if around.kinds.get(kind.value))
    more = (len(callers) >= MANY_CALLERS) + bool(acts) + (around.lost >= MANY_LOST)
    pinned = None if around.pinned is None else sorted({*around.pinned} - {around.app})
    return Impact(
        risk=_at(_BEGINS[around.weight(heaviest or around.app)] + more),
        criticality=around.weight(heaviest or around.app),
        heavier=heaviest,
        callers=tuple(callers[:NAMED]),
        callers_count=len(callers),
        pinned=tuple(pinned or ())[:NAMED],
        pinned_count=None if pinned is None else len(pinned),
        keeps=around.mode in _KEEP,
        rate=around.rate,
        acts=acts,
        lost=around.lost,
    )


def callers_of(app: str, depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """Return every app that depends on *app*, directly or through others, each once."""
    found: list[str] = []
    left = [app]
    while left:
        called = left.pop(0)
        for caller, needs in depends_on.items():
            if called in needs and caller != app and caller not in found:
                found.append(caller)
                left.append(caller)
    return found


def rank(risk: str) -> int:
    """Return where *risk* stands, 0 for the lowest; -1 for one that there is not."""
    return next((at for at, one in enumerate(RISKS) if one.value == risk), -1)


# -- As it is kept ----------------------------------------------------------------------------


def facts_of(found: Impact) -> dict[str, Json]:
    """Return *found* as a rollback keeps it; `impact_in` reads it."""
    lists = {name: list(getattr(found, name)) for name in ("callers", "pinned", "acts")}
    return {**asdict(found), **lists, _KEY: found.risk.value}


def impact_in(facts: Mapping[str, Json]) -> Impact | None:
    """Return what `facts_of` made; None where nobody looked, as in an older release."""
    if _KEY not in facts:
        return None
    lists = {name: tuple(facts[name]) for name in ("callers", "pinned", "acts")}
    return Impact(**{**facts, **lists, "risk": Risk(facts[_KEY])})


def of_legs(legs: Iterable[Leg]) -> dict[AppEnv, Impact]:
    """Return what is behind the app of each leg, as far as somebody looked."""
    found = ((leg.where, impact_in(leg.impact)) for leg in legs)
    return {where: one for where, one in found if one is not None}


def risk_of(legs: Iterable[Leg]) -> str:
    """Return the risk of a rollback of *legs*, the highest of its apps; "" where none is known."""
    return max((one.risk.value for one in of_legs(legs).values()), key=rank, default="")


def _at(steps: int) -> Risk:
    return RISKS[min(max(steps, 0), len(RISKS) - 1)]
