"""The landscape: apps in their environments, the graphs inside them, whom they call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tests.incidents.arrays import between, one_of

_NAMES = (
    "claims-intake", "helpdesk-bot", "contract-summary", "mail-router", "pricing-agent",
    "onboarding-flow", "meeting-notes", "発注-flow", "beschwerde-bot", "code-reviewer",
)  # fmt: skip
_OUTSIDE = ("azure-openai", "mistral", "pgvector", "salesforce-api", "ocr-service", "websearch")
_TIMEOUTS_S = (10.0, 20.0, 30.0, 60.0)


@dataclass(frozen=True)
class Call:
    """What a branch does with another app (`app/env`) or an outside service."""

    to: str
    retries: int = 0
    falls_back: bool = False


@dataclass(frozen=True)
class Branch:
    """A way through the graph: *share* of the requests, own seconds, spread of their logarithm."""

    share: float
    own_s: float
    spread: float
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """An app in one environment. Rates in 1/s, times in seconds, probabilities 0 to 1."""

    app: str
    env: str
    per_s: float
    branches: tuple[Branch, ...]
    failing: float
    retrying: float
    timeout_s: float
    swing: float  # of the day: e**swing is the peak against the mean
    weekend: float
    restless: float  # spread of the slow noise in the logarithm of the rate
    workers: int = 1
    load: float = 0.3  # utilisation in the busiest hour
    silent: tuple[tuple[float, float], ...] = ()  # spans (s) in which nobody asks

    @property
    def key(self) -> str:
        return f"{self.app}/{self.env}"

    def called(self) -> dict[str, float]:
        """Return the share of requests that call each callee."""
        shares: dict[str, float] = {}
        for branch in self.branches:
            for call in branch.calls:
                shares[call.to] = shares.get(call.to, 0.0) + branch.share
        return shares


@dataclass(frozen=True)
class Outside:
    """A service that is nobody's app: mean seconds of an answer and their spread."""

    name: str
    failing: float
    mean_s: float
    spread: float


@dataclass(frozen=True)
class World:
    """All deployments, callers before their callees, and the outside services."""

    deployments: Mapping[str, Deployment]
    outsides: Mapping[str, Outside]
    depends_on: Mapping[str, tuple[str, ...]]
    upstreams: Mapping[str, tuple[str, ...]]

    def in_env(self, env: str) -> list[Deployment]:
        return [each for each in self.deployments.values() if each.env == env]

    def reached_by(self, where: str) -> frozenset[str]:
        """Return the keys to which trouble of *where* can spread: itself and all its callers."""
        reached = {where}
        for key in reversed(list(self.deployments)):  # callees first
            if reached & self.deployments[key].called().keys():
                reached.add(key)
        return frozenset(reached & self.deployments.keys())

    def changed(self, key: str, **fields: object) -> World:
        """Return a world in which one deployment has other *fields*."""
        now = replace(self.deployments[key], **fields)  # type: ignore[arg-type]
        return replace(self, deployments={**self.deployments, key: now})


@dataclass
class _Drawing:
    dice: np.random.Generator
    apps: list[str]
    outsides: dict[str, Outside]
    depends_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    upstreams: dict[str, tuple[str, ...]] = field(default_factory=dict)
    staged: set[str] = field(default_factory=set)


def draw_world(dice: np.random.Generator) -> World:
    """Draw 3 to 5 apps, each at least in prod, with graphs, callees, traffic and workers."""
    apps = [str(name) for name in dice.permutation(_NAMES)[: int(dice.integers(3, 6))]]
    drawing = _Drawing(dice, apps, _outsides(dice))
    for place, app in enumerate(apps):
        callees = [other for other in apps[place + 1 :] if dice.random() < 0.45]
        drawing.depends_on[app] = tuple(callees[:2])
        used = dice.permutation(list(drawing.outsides))[: int(dice.integers(1, 3))]
        drawing.upstreams[app] = tuple(sorted(str(name) for name in used))
        if dice.random() < 0.5:
            drawing.staged.add(app)
    found = [d for app in apps for d in _deployments(drawing, app)]
    world = World(
        {d.key: d for d in found}, drawing.outsides, drawing.depends_on, drawing.upstreams
    )
    return _staffed(world, dice)


def _outsides(dice: np.random.Generator) -> dict[str, Outside]:
    names = sorted(str(name) for name in dice.permutation(_OUTSIDE)[: int(dice.integers(2, 5))])
    return {
        name: Outside(
            name, between(dice, 3e-4, 4e-3), between(dice, 0.08, 2.5), float(dice.uniform(0.3, 0.7))
        )
        for name in names
    }


def _deployments(drawing: _Drawing, app: str) -> list[Deployment]:
    dice = drawing.dice
    per_s = between(dice, 0.02, 50.0)
    prod = Deployment(
        app=app,
        env="prod",
        per_s=per_s,
        branches=_branches(drawing, app, "prod"),
        failing=between(dice, 4e-4, 8e-3),
        retrying=float(dice.choice([0.0, 0.0, 0.2, 0.5, 0.8])),
        timeout_s=one_of(dice, _TIMEOUTS_S),
        swing=float(dice.uniform(0.2, 0.9)),
        weekend=float(dice.uniform(0.2, 1.0)),
        restless=float(dice.uniform(0.05, 0.25)),
    )
    if app not in drawing.staged:
        return [prod]
    branches = tuple(_staging(branch, drawing.staged) for branch in prod.branches)
    busy = max(0.005, per_s * between(dice, 0.01, 0.1))
    return [prod, replace(prod, env="staging", per_s=busy, branches=branches, retrying=0.0)]


def _staging(branch: Branch, staged: set[str]) -> Branch:
    """Return the branch as staging runs it: callees that have a staging are called there."""
    calls = tuple(
        replace(call, to=f"{call.to.removesuffix('/prod')}/staging")
        if call.to.removesuffix("/prod") in staged and "/" in call.to
        else call
        for call in branch.calls
    )
    return replace(branch, calls=calls)


def _branches(drawing: _Drawing, app: str, env: str) -> tuple[Branch, ...]:
    dice = drawing.dice
    count = int(dice.integers(2, 5))
    shares = np.maximum(dice.dirichlet(np.full(count, 1.5)), 0.05)
    callees = [f"{other}/{env}" for other in drawing.depends_on[app]]
    callees += drawing.upstreams[app]
    calls: list[list[Call]] = [[] for _ in range(count)]
    for to in callees:
        chosen = [n for n in range(count) if dice.random() < 0.5] or [int(dice.integers(count))]
        how = Call(to, int(dice.choice([0, 0, 1, 2])), bool(dice.random() < 0.15))
        for n in chosen:
            calls[n].append(how)
    middle = between(dice, 0.2, 2.5)
    return tuple(
        Branch(
            float(share),
            middle * between(dice, 0.4, 2.5),
            float(dice.uniform(0.3, 0.8)),
            tuple(made),
        )
        for share, made in zip(shares / shares.sum(), calls, strict=True)
    )


def nominal(world: World) -> dict[str, tuple[float, float, float]]:
    """Return per key what a quiet hour has: requests 1/s, mean seconds, failing share."""
    rates = {key: d.per_s for key, d in world.deployments.items()}
    for key, each in world.deployments.items():
        for to, share in each.called().items():
            if to in rates:
                rates[to] += share * rates[key]
    quiet = {name: (0.0, o.mean_s, o.failing) for name, o in world.outsides.items()}
    for key in reversed(list(world.deployments)):
        each = world.deployments[key]
        mean = sum(
            b.share * (b.own_s + sum(quiet[c.to][1] for c in b.calls)) for b in each.branches
        )
        bad = each.failing + sum(
            b.share * quiet[c.to][2] ** (1 + c.retries) for b in each.branches for c in b.calls
        )
        quiet[key] = (rates[key], mean, bad)
    return {key: quiet[key] for key in world.deployments}


def _staffed(world: World, dice: np.random.Generator) -> World:
    """Give everybody workers for their traffic, and a timeout that fits their answers."""
    for key, (rate, mean_s, _) in nominal(world).items():
        busy = rate * mean_s * math.exp(world.deployments[key].swing)
        wanted = float(dice.uniform(0.15, 0.55))
        workers = max(2, math.ceil(busy / wanted))
        timeout_s = next((t for t in _TIMEOUTS_S if t >= 5 * mean_s), 120.0)
        timeout_s = max(timeout_s, world.deployments[key].timeout_s)
        world = world.changed(key, workers=workers, load=busy / workers, timeout_s=timeout_s)
    return world
