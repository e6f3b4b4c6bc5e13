"""The numbers that a decision rests on before it has seen anything, with where they come from.

They are orders of magnitude: published ones where a source is named, judgement where none is.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True)
class Beliefs:
    """Chances and rates, seconds unless said otherwise.

    Attributes:
        bad_change: Chance that a change breaks something. DORA's reports of 2019 to 2024 give
            5 % for the best quarter of teams and 10 to 20 % for those in the middle.
        bad_again: The same for a content that was gone back from before.
        bad_proven: The same for a content that answered for long without this trouble.
        bystander: Rate at which an app breaks with nobody having changed anything there: a key, a
            quota, a machine. About 70 % of outages come from a change (Beyer et al., "Site
            Reliability Engineering", 2016, chapter 1); with a change a day and `bad_change` that
            leaves one in two weeks.
        upstream: Rate of outages of one outside service: the status pages of the large model
            providers report several a month.
        surge: Rate at which load grows several-fold.
        soon: Mean time until a bad change answers; then requests have to come, and a scrape.
        mending: How much more often people publish after trouble began than before.
        late: Share of the bad changes whose effect waits for something, up to `latest`.
        slow_if_bad, slow_alone, slow_outside, slow_if_load: Share of the troubles that grow slowly:
            of bad changes (leaks, quotas, caches that fill), of what happens by itself, of
            outages elsewhere, of surges.
        early: By how much a change may seem to come after its effect: clocks that differ, and a
            sample that was taken for the minute that it ends.
        reach: Chance that what is bad in an app shows in one that calls it.
        shows: Chance that a cause shows in an app that it must reach.
        chance_turn: Chance that an app which it cannot reach turns at the same time anyway.
        chance_surge: Chance that load grows by half at that time when it is not the cause.
        retries: Chance that it grows because people and programs try again what failed.
    """

    bad_change: float = 0.12
    bad_again: float = 0.75
    bad_proven: float = 0.02
    bystander: float = 1 / (14 * DAY_S)
    upstream: float = 1 / (8 * DAY_S)
    surge: float = 1 / (5 * DAY_S)
    soon: float = 60.0
    mending: float = 2.5
    late: float = 0.06
    latest: float = 12 * 3600.0
    slow_if_bad: float = 0.2
    slow_alone: float = 0.1
    slow_outside: float = 0.03
    slow_if_load: float = 0.5
    early: float = 20.0
    reach: float = 0.5
    shows: float = 0.85
    chance_turn: float = 0.01
    chance_surge: float = 0.02
    retries: float = 0.3


@dataclass(frozen=True)
class Thresholds:
    """What a suggestion needs: the least confidence, 0 to 1, where a metric shows the onset, and
    where there is nothing but times; then the chances are less than they seem.
    """

    sure: float = 0.6
    sure_by_time: float = 0.75
    proven_s: float = 3600.0  # a content that answered for so long without trouble is proven


BELIEFS = Beliefs()
THRESHOLDS = Thresholds()
