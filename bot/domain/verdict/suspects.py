"""Which changes may be behind trouble, how likely each is to be a bad one, and which are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.verdict.belief import Beliefs, Thresholds
from bot.domain.verdict.incident import Change, Incident
from bot.domain.verdict.onset import Onset
from store.records import AppEnv

_SETTLED_S = 300.0  # after which a going back is not itself what began
_GIVEN_UP = timedelta(days=1)  # a content that answered for longer was not gone back from for it
AFTER_S = 45 * 60.0  # a change that came so long after the onset is not even named


@dataclass(frozen=True)
class Suspect:
    """A change that may have done it: `bad` is the chance that it breaks anything at all.

    `hops` is how many apps lie between: 0 for the alerting app itself.
    """

    change: Change
    bad: float
    hops: int = 0
    again: bool = False  # its content was gone back from before
    proven: bool = False  # its content answered for long without this trouble


# What people read and what is drawn seldom breaks an answer.
_HARMLESS = frozenset({"layout only", "layout", "features", "feature", "title", "app", "icon"})
_LAYOUT = frozenset({"layout only", "layout"})


def in_order(incident: Incident, where: AppEnv) -> list[Change]:
    """The changes of *where* up to the decision, by time and number.

    A version that means the same as the one before it, or moved boxes only, is none. The contents
    are meanings: what was only drawn otherwise counts as what it was drawn from.
    """
    steps: list[Change] = []
    means: dict[str, str] = {}  # what was only drawn otherwise means what it was drawn from
    mine = (c for c in incident.changes if c.where == where and c.at <= incident.decided_at)
    for change in sorted(mine, key=lambda c: (c.at, c.number)):
        if steps and _moved_boxes(change):
            means.setdefault(change.content, steps[-1].content)
        meaning = means.get(change.content, change.content)
        if not steps or steps[-1].content != meaning:
            steps.append(change if meaning == change.content else replace(change, content=meaning))
    return steps


def _moved_boxes(change: Change) -> bool:
    return bool(change.kinds) and change.kinds <= _LAYOUT


def suspects(
    incident: Incident,
    hops: Mapping[str, int],
    onset: Onset,
    *,
    of: Beliefs,
    thresholds: Thresholds,
) -> list[Suspect]:
    """The changes of the alerting app and of those behind it (*hops*) which may have done it."""
    begun = onset.began
    found: list[Suspect] = []
    for app, away in hops.items():
        where = place(incident, app)
        steps = in_order(incident, where)
        bad = condemned(incident, where, onset if away == 0 else None, begun=begun[0])
        last_back = _last_going_back(steps, begun[0])
        for number, change in enumerate(steps):
            at = change.at.timestamp()
            if (number == 0 and change.number > 1) or number < last_back:
                continue  # what a history that is cut off begins with need not be a change
            if not begun[0] - of.latest <= at <= begun[1] + AFTER_S:
                continue
            found.append(_suspect(incident, steps, number, away, bad, of, thresholds))
    return found


def place(incident: Incident, app: str) -> AppEnv:
    """Where *app* answers what the alerting app asks: the same environment, or its only one."""
    same = AppEnv(app, incident.where.env)
    envs = {c.where.env for c in incident.changes if c.where.app == app}
    return AppEnv(app, next(iter(envs))) if len(envs) == 1 and same.env not in envs else same


def condemned(
    incident: Incident, where: AppEnv, onset: Onset | None, *, begun: float
) -> frozenset[str]:
    """The contents that are known to be bad in *where*.

    Those that the store condemned, and those which answered while this trouble was there before
    and ended by going back before *begun*.
    """
    known = set(incident.condemned.get(where, frozenset()))
    steps = in_order(incident, where)
    settled = begun - _SETTLED_S  # what came later may be what began, and cured nothing
    for number, older in enumerate(_older(steps)):
        change = steps[number]
        if older is None or change.content in known or change.at.timestamp() > settled:
            continue  # no going back, or one that was itself gone back from
        gone = [c for c in steps[older + 1 : number] if change.at - c.at <= _GIVEN_UP]
        known |= {c.content for c in gone}
    if onset is not None:
        for spell, cure in onset.past.cured:
            known |= {
                c.content
                for c in steps
                if spell.began - 1800 <= c.at.timestamp() < cure.at.timestamp()
                and c.content != cure.content
            }
    return frozenset(known)


def _older(steps: Sequence[Change]) -> list[int | None]:
    """For each step the newest one before it of the same content: it went back to that."""
    newest: dict[str, int] = {}
    found: list[int | None] = []
    for number, change in enumerate(steps):
        found.append(newest.get(change.content))
        newest[change.content] = number
    return found


def _last_going_back(steps: Sequence[Change], begun: float) -> int:
    """What came before the newest going back before the trouble was live no more."""
    backs = (
        number
        for number, older in enumerate(_older(steps))
        if older is not None and steps[number].at.timestamp() <= begun - _SETTLED_S
    )
    return max(backs, default=0)


def _suspect(
    incident: Incident,
    steps: Sequence[Change],
    number: int,
    away: int,
    bad: frozenset[str],
    of: Beliefs,
    thresholds: Thresholds,
) -> Suspect:
    change = steps[number]
    again = change.content in bad
    answered = lived(steps[:number], change.content, until=change.at.timestamp())
    vouched = change.content in incident.good.get(change.where, ())
    proven = not again and (vouched or answered >= thresholds.proven_s)
    if again:
        chance = of.bad_again
    elif proven:
        chance = of.bad_proven
    else:
        chance = of.bad_change * (0.5 if change.kinds and change.kinds <= _HARMLESS else 1.0)
    return Suspect(change, chance, away, again, proven)


def lived(steps: Sequence[Change], content: str, *, until: float) -> float:
    """For how many seconds *content* answered in *steps*, of which the last one did *until*."""
    total = 0.0
    for number, change in enumerate(steps):
        if change.content == content:
            last = number + 1 == len(steps)
            end = until if last else steps[number + 1].at.timestamp()
            total += max(end - change.at.timestamp(), 0.0)
    return total
