"""When a metric turned for the worse, as a distribution over time rather than one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.domain.verdict.line import Line, Numbers, levels, tolerance, usual

BEFORE_S = 90 * 60.0  # of the usual before the trouble that its start is looked for with
AFTER_S = 45 * 60.0  # of the trouble itself
_DIP_S = 240.0  # a return to the usual that is shorter ends no trouble
_RISES = (0, 1, 2, 3, 4, 6, 9, 13, 19, 27, 40, 60, 90)  # samples from the usual to the new level
SLOW_S = 11 * 60.0  # a rise that takes longer is a slow one


@dataclass(frozen=True)
class Spell:
    """A time of trouble, seconds since 1970; `height` is how far a metric stood above usual."""

    began: float
    ended: float | None  # None where it goes on
    height: float = 0.0


@dataclass(frozen=True)
class Turn:
    """The start of the trouble in one metric.

    `at` are the moments after which it may have begun, each with the chance in `chance` that it
    began between it and the next sample; they sum to 1. `slow` is the chance that it rose slowly.
    `usual` and `now` are levels on the even scale, `size` is their distance in deviations.
    """

    line: Line
    at: Numbers
    width: Numbers
    chance: Numbers
    slow: float
    usual: float
    now: float
    size: float

    @property
    def began(self) -> tuple[float, float]:
        """The shortest time around the likeliest moment that holds nine chances of ten."""
        order = np.argsort(self.chance)[::-1]
        enough = int(np.searchsorted(np.cumsum(self.chance[order]), 0.9)) + 1
        among = order[:enough]
        return float(self.at[among].min()), float((self.at + self.width)[among].max())


def spells(line: Line) -> list[Spell]:
    """When *line* stood above what is usual, in order; [] for a short one."""
    if not line.long_enough:
        return []
    stretches = levels(line)
    level = usual(line, stretches)
    above = level + tolerance(line, level)
    found: list[Spell] = []
    for first, end, mean in stretches:
        if mean <= above:
            continue
        began = float(line.at[first])
        ended = float(line.at[end]) if end < len(line.at) else None
        before = found[-1].ended if found else None
        if before is not None and began - before <= max(_DIP_S, 3 * line.step):
            found[-1] = Spell(found[-1].began, ended, max(found[-1].height, mean - level))
        else:
            found.append(Spell(began, ended, mean - level))
    return found


def turn(line: Line, spell: Spell, *, not_before: float = 0.0) -> Turn | None:
    """Say when *line* left its usual level for *spell*; None where that is not in the series.

    What is usual rises to a level that lasts: along a straight line that takes some samples, none
    for a step. Every start and every rise is weighed by how well it fits (least squares, equal
    chances before; Hinkley 1970, "Inference about the change-point"). *not_before* cuts the usual
    off there: at the end of the spell before.
    """
    end = min(spell.ended or np.inf, spell.began + AFTER_S)
    start = max(spell.began - BEFORE_S, not_before)
    keep = (line.at >= start) & (line.at <= end)
    at, y = line.at[keep], line.y[keep]
    before = int(np.count_nonzero(at < spell.began))
    if before < 3 or len(y) - before < 2:
        return None
    costs, rises = _costs(at, y, line.step)
    residual = float(costs.min()) / max(len(y) - 4, 1)
    scale = 2 * max(residual, line.noise**2) * line.spread
    weights = np.exp(-(costs - costs.min()) / scale)
    total = float(weights.sum())
    slow = float(weights[:, rises * line.step > SLOW_S].sum()) / total
    gaps = np.diff(at, append=at[-1] + line.step)
    chance = weights.sum(axis=1) * gaps
    chance /= chance.sum()
    keep_chance = chance > 1e-4
    last = int(np.argmax(chance))  # that is still usual; a spell may begin with some that are
    before_level = float(np.median(y[: last + 1]))
    now = float(np.median(y[last + 1 :][-5:]))
    return Turn(
        line=line,
        at=at[keep_chance],
        width=gaps[keep_chance],
        chance=chance[keep_chance] / chance[keep_chance].sum(),
        slow=slow,
        usual=before_level,
        now=now,
        size=(now - before_level) / line.noise,
    )


def _costs(at: Numbers, y: Numbers, step: float) -> tuple[Numbers, Numbers]:
    """Squares left over for each start (a sample that is still usual) and each rise."""
    n = len(y)
    rises = np.array([r for r in _RISES if r <= max(n, 2)], dtype=float)
    starts = np.arange(1, n - 1)
    since = (at[None, :] - at[starts][:, None]) / step  # samples since each start
    costs = np.full((n, len(rises)), np.inf)
    centred = y - y.mean()
    power = float(np.dot(centred, centred))
    for column, rise in enumerate(rises):
        shape = np.clip(since / max(rise, 0.5), 0.0, 1.0) if rise else (since > 0).astype(float)
        shape = shape - shape.mean(axis=1, keepdims=True)
        along = shape @ centred
        square = np.einsum("ij,ij->i", shape, shape)
        gain = np.where(square > 0, np.maximum(along, 0.0) ** 2 / np.maximum(square, 1e-12), 0.0)
        costs[starts, column] = power - gain
    return costs, rises
