"""What a person's App Home shows: lists of facts by their codes, and what may be pressed there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from store.records import Json

SHOWN: Final = 8  # rows of what waits, was asked for or has ended; the rest is counted
APPS: Final = 15  # on a page


class Part(StrEnum):
    """A list of App Home, in the order in which they stand; each row's facts are those of its code.

    Each row: where, more: int (other apps that go back with it), rollback: int, permalink ("" when
    unknown), old: int, new: int (numbers; 0 when unknown), and drill: True of a drill.
    """

    # until, count: int, needed: int
    WAITING = "waiting"
    # slack_id (who broke the glass), count: int, needed: int
    REVIEWS = "reviews"
    # state, until ("" when it is over), count: int, needed: int
    ASKED = "asked"
    # where, number: int, published_at, author, drift: bool, rollback: int (0 for none), state,
    # permalink
    APPS = "apps"
    # state, outcome (an OutcomeCode), at
    RECENT = "recent"


class Said(StrEnum):
    """What is said on top of it, to this person alone."""

    STRANGER = "stranger"  # why (a code of `bot.domain.policy.standing`)
    NOTHING_SEEN = "nothing_seen"
    PAUSED = "paused"
    UNDRAWN = "undrawn"
    REFUSED = "refused"  # text: one sentence, already safe to show
    DIRECT_OFF = "direct_off"
    DIRECT_ON = "direct_on"
    JOB_PAUSED = "job_paused"  # job, anew: bool (it was not so before)
    JOB_RESUMED = "job_resumed"  # as JOB_PAUSED
    JOB_ASKED = "job_asked"  # as JOB_PAUSED


@dataclass(frozen=True)
class Listed:
    """One list: its rows, the most important first, and how many more there are."""

    part: Part
    rows: tuple[Mapping[str, Json], ...]
    more: int = 0


@dataclass(frozen=True)
class JobRow:
    """A job's row; `press` are the buttons of whoever may use them: run, pause or resume."""

    name: str
    facts: Mapping[str, Json]
    press: tuple[str, ...] = ()


@dataclass(frozen=True)
class HomeView:
    """A person's App Home. `before` and `after` are pages of apps, 0 where there is none.

    `direct` says whether they get direct messages, "on" or "off"; "" where nobody does.
    """

    at: datetime
    notices: tuple[tuple[Said, Mapping[str, Json]], ...] = ()
    lists: tuple[Listed, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    page: int = 1
    pages: int = 1
    direct: str = ""

    @property
    def before(self) -> int:
        return self.page - 1

    @property
    def after(self) -> int:
        return self.page + 1 if self.page < self.pages else 0

    @property
    def substance(self) -> str:
        """A digest that changes only with what is worth drawing again: no run of a job does."""
        jobs = [(job.name, job.press, job.facts["paused_by"]) for job in self.jobs]
        worth = repr((self.notices, self.lists, jobs, self.page, self.pages, self.direct))
        return hashlib.sha256(worth.encode()).hexdigest()
