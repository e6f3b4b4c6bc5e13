"""What a paused database is compared with before it is used, and what becomes of what is open.

A copy is older than reality: whatever was open in it may have been carried out since. Nothing of
it is executed; each open rollback is brought to an end that says what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from bot.domain.words import OutcomeCode
from store.records import Leg, Paused, Rollback, State, Version

_GOING = frozenset({State.EXECUTING, State.VERIFYING})


# -- The chain --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anchor:
    """What somebody kept outside the database: a hash of the chain, whole or its beginning.

    `seq` is its number where that is known, `others` are more links by their numbers.
    """

    hash: str
    seq: int | None = None
    others: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))


class Age(StrEnum):
    """How the database's chain stands to an anchor."""

    SAME = "same"  # it ends there
    AHEAD = "ahead"  # it holds the anchor, and more
    BEHIND = "behind"  # the original went on after this copy was made
    OTHER = "other"  # another history
    UNKNOWN = "unknown"  # it does not hold the anchor: behind it, or another history


def age(paused: Paused, anchor: Anchor, *, found: int | None) -> Age:
    """Compare; *found* is the number of the entry in the chain that has the anchor's hash."""
    if paused.head.startswith(anchor.hash):
        return Age.SAME
    if found is not None:
        return Age.AHEAD if found < paused.seq else Age.SAME
    if anchor.seq is None:
        return Age.UNKNOWN
    if anchor.seq <= paused.seq:
        return Age.OTHER
    kept = anchor.others.get(paused.seq)
    if kept is None:
        return Age.UNKNOWN
    return Age.BEHIND if kept == paused.head else Age.OTHER


# -- Rollbacks --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fate:
    """How an open rollback of a copy ends."""

    state: State
    code: OutcomeCode

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to look at what is live."""
        return self.state is State.NEEDS_ATTENTION


def fate(rollback: Rollback, found: Sequence[tuple[Version | None, Version | None]]) -> Fate:
    """Return how *rollback*, open in a copy, ends: what is live and what it published, a leg."""
    fates = [
        _fate(rollback, leg, live=live, published=published)
        for leg, (live, published) in zip(rollback.legs, found, strict=True)
    ]
    if all(one == fates[0] for one in fates):
        return fates[0]
    if rollback.state in _GOING:  # some of its apps are through, and others are not
        return Fate(State.NEEDS_ATTENTION, OutcomeCode.COPY_UNCLEAR)
    return Fate(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)


def _fate(rollback: Rollback, leg: Leg, *, live: Version | None, published: Version | None) -> Fate:
    """Return how it would end for *leg* alone.

    Args:
        rollback: As the copy has it.
        leg: One of its legs.
        live: The newest version, read from the target a moment ago; None when it cannot be read.
        published: The version that carries the name under which this very rollback publishes.
    """
    in_force = live is not None and live.root == leg.expected_root
    if rollback.state in _GOING:
        if published is None or not in_force:
            return Fate(State.NEEDS_ATTENTION, OutcomeCode.COPY_UNCLEAR)
        if rollback.state is State.VERIFYING:
            return Fate(State.COMPLETED, OutcomeCode.COMPLETED)
        return Fate(State.SUPERSEDED, OutcomeCode.CARRIED_OUT)
    return Fate(State.SUPERSEDED, _why_not_started(leg, live, published, in_force=in_force))


def _why_not_started(
    leg: Leg, live: Version | None, published: Version | None, *, in_force: bool
) -> OutcomeCode:
    if published is not None:
        return OutcomeCode.CARRIED_OUT
    if in_force:
        return OutcomeCode.ALREADY_LIVE
    if live is not None and live.target_id != leg.live_external_id:
        return OutcomeCode.LIVE_CHANGED
    return OutcomeCode.COPIED
