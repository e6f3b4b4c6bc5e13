"""Which changes may be behind trouble, how likely each is to be a bad one, and which are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.verdict.belief import Beliefs, Thresholds
from bot.domain.verdict.incident import Change, How, Incident
from bot.domain.verdict.onset import Onset
from store.records import AppEnv

AFTER_S = 45 * 60.0  # a change that came so long after the onset is not even named


class Innocent(StrEnum):
    """Why a change is none of the suspects."""

    SAME_MEANING = "same_meaning"
    AFTER_ONSET = "after_onset"
    TOO_OLD = "too_old"
    WENT_BACK = "went_back"  # a rollback after it made another content live


@dataclass(frozen=True)
class Suspect:
    """A change that may have done it: `bad` is the chance that it breaks anything at all.

    `hops` is how many apps lie between: 0 for the alerting app itself.
    """

    change: Change
    before: Change | None
    bad: float
    hops: int = 0
    again: bool = False  # its content was gone back from before
    proven: bool = False  # its content answered for long without this trouble


_HARMLESS = frozenset({"layout only", "layout", "features", "app", "name", "description", "icon"})
_LAYOUT = frozenset({"layout only", "layout"})


def in_order(incident: Incident, where: AppEnv) -> list[Change]:
    """The changes of *where* up to the decision by number; one without any meaning is left out.

    A version that means the same as the one before it, or moved boxes only, changed nothing. Its
    content counts as that of the version before.
    """
    steps: list[Change] = []
    mine = (c for c in incident.changes if c.where == where and c.at <= incident.decided_at)
    for change in sorted(mine, key=lambda c: (c.at, c.number)):
        if steps and (steps[-1].content == change.content or _moved_boxes(change)):
            continue
        steps.append(change)
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
        bad = condemned(incident, where, onset if away == 0 else None)
        last_back = _last_going_back(steps, begun[0])
        for number, change in enumerate(steps):
            at = change.at.timestamp()
            if number == 0 or number < last_back:
                continue
            if not begun[0] - of.latest <= at <= begun[1] + AFTER_S:
                continue
            found.append(_suspect(incident, steps, number, away, bad, of, thresholds))
    return found


def place(incident: Incident, app: str) -> AppEnv:
    """Where *app* answers what the alerting app asks: the same environment, or its only one."""
    same = AppEnv(app, incident.where.env)
    envs = {c.where.env for c in incident.changes if c.where.app == app}
    return AppEnv(app, next(iter(envs))) if len(envs) == 1 and same.env not in envs else same


def condemned(incident: Incident, where: AppEnv, onset: Onset | None) -> frozenset[str]:
    """The contents that are known to be bad in *where*.

    Those that the store condemned, and those which answered while this trouble was there before
    and ended by going back.
    """
    known = set(incident.condemned.get(where, frozenset()))
    steps = in_order(incident, where)
    for number, change in enumerate(steps):
        undo = change.content in known  # a going back that was itself gone back from
        if change.how is How.RESTORED and number >= 2 and not undo:
            older = _restored_from(steps, number)
            skipped = steps[older + 1 : number] if older is not None else []
            gone = [c for c in skipped if change.at.timestamp() - c.at.timestamp() <= 86_400]
            known |= {c.content for c in gone if c.content != change.content}
    if onset is not None:
        for spell, cure in onset.past.cured:
            known |= {
                c.content
                for c in steps
                if spell.began - 1800 <= c.at.timestamp() < cure.at.timestamp()
                and c.content != cure.content
            }
    return frozenset(known)


def _restored_from(steps: Sequence[Change], number: int) -> int | None:
    same = (n for n in range(number - 1, -1, -1) if steps[n].content == steps[number].content)
    return next(same, None)


def _last_going_back(steps: Sequence[Change], begun: float) -> int:
    """What came before the newest going back before the trouble was live no more."""
    backs = (
        n for n, c in enumerate(steps) if c.how is How.RESTORED and c.at.timestamp() <= begun - 300
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
    proven = not again and answered >= thresholds.proven_s
    if again:
        chance = of.bad_again
    elif proven:
        chance = of.bad_proven
    else:
        chance = of.bad_change * (0.5 if change.kinds and change.kinds <= _HARMLESS else 1.0)
    return Suspect(change, steps[number - 1], chance, away, again, proven)


def lived(steps: Iterable[Change], content: str, *, until: float) -> float:
    """For how many seconds *content* answered in *steps*, of which the last one did *until*."""
    ordered = list(steps)
    ends = [c.at.timestamp() for c in ordered[1:]] + [until]
    return sum(
        max(end - c.at.timestamp(), 0.0)
        for c, end in zip(ordered, ends, strict=True)
        if c.content == content
    )
