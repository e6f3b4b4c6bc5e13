"""Times that a policy names: every day or week between two hours, or from one date to another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORM = (
    'must be "22:00-07:00", "fri 16:00-24:00", "sat-sun 00:00-24:00", '
    '"2026-12-20/2027-01-02" or "2026-12-20T18:00/2026-12-21T06:00"'
)
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY = re.compile(rf"(?:([a-z]{{3}}(?:[-,][a-z]{{3}})*)\s+)?{_CLOCK}-(?:{_CLOCK}|(24:00))")
_DAY = timedelta(days=1)
_LONGEST_CHAIN = 400  # windows one after the other; a policy that is closed for ever ends there


@dataclass(frozen=True)
class Weekly:
    """From one time of day to another, on the days (0 is Monday) on which it begins."""

    days: frozenset[int]
    begins: time
    ends: time  # not later than `begins`: on the next day; 00:00 is the end of the day

    def around(self, local: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans that may hold *local*: that of its day, and that of the day before."""
        for day in (local.date(), local.date() - _DAY):
            if day.weekday() in self.days:
                last = day if self.ends > self.begins else day + _DAY
                yield _at(day, self.begins, local), _at(last, self.ends, local)


@dataclass(frozen=True)
class Span:
    """From one local time to another, once."""

    begins: datetime  # naive: on the clock of the policy's time zone
    ends: datetime

    def around(self, local: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The span itself."""
        zone = local.tzinfo
        yield self.begins.replace(tzinfo=zone), self.ends.replace(tzinfo=zone)


Window = Weekly | Span


@dataclass(frozen=True)
class Windows:
    """Some windows on the clock of one time zone; without any no moment is in them."""

    windows: Sequence[Window]
    zone: ZoneInfo

    def until(self, at: datetime) -> datetime | None:
        """Return when the time that holds *at* is over, or None where none does.

        Windows that meet or overlap are one time; the result is in the windows' zone.
        """
        now = over = at.astimezone(UTC)
        for _ in range(_LONGEST_CHAIN):
            later = [end for begin, end in self._around(over) if begin <= over < end]
            if not later:
                break
            over = max(later)
        return over.astimezone(self.zone) if over > now else None

    def _around(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """In UTC: times of one zone are compared by their clocks, which an hour shows twice."""
        local = at.astimezone(self.zone)
        for window in self.windows:
            for begin, end in window.around(local):
                yield begin.astimezone(UTC), end.astimezone(UTC)


def parse(text: str) -> Window:
    """Return the window that *text* names; a span that ends with a date ends with that day.

    Raises:
        ValueError: `FORM` says how it is written.
    """
    said = " ".join(text.lower().split())
    if found := _WEEKLY.fullmatch(said):
        days, *clock, end_of_day = found.groups()
        begins = time(int(clock[0]), int(clock[1]))
        ends = time() if end_of_day else time(int(clock[2]), int(clock[3]))
        return Weekly(_days(days), begins, ends)
    begin, slash, end = text.strip().partition("/")
    if not slash:
        raise ValueError(FORM)
    span = Span(_moment(begin), _moment(end, whole_day=True))
    if span.ends <= span.begins:
        raise ValueError("must end after it begins")
    return span


def _days(said: str | None) -> frozenset[int]:
    if said is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in said.split(","):
        first, *last = part.split("-")
        begin, end = _day(first), _day(last[-1] if last else first)
        found |= {(begin + n) % 7 for n in range((end - begin) % 7 + 1)}
    return frozenset(found)


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"{name!r} is no day: {', '.join(DAYS)}")
    return DAYS.index(name)


def _moment(said: str, *, whole_day: bool = False) -> datetime:
    try:
        if "T" not in said:
            day = datetime.combine(date.fromisoformat(said), time())
            return day + _DAY if whole_day else day
        moment = datetime.fromisoformat(said)
    except (ValueError, OverflowError):
        raise ValueError(FORM) from None
    if moment.tzinfo is not None:
        raise ValueError("has no time zone of its own: `timezone` is that of all windows")
    return moment


def _at(day: date, clock: time, local: datetime) -> datetime:
    return datetime.combine(day, clock, tzinfo=local.tzinfo)


NEVER = Windows((), ZoneInfo("UTC"))


def windows(texts: Iterable[str], zone: ZoneInfo) -> Windows:
    """Return the windows that *texts* name, on the clock of *zone*. Raises `ValueError`."""
    return Windows(tuple(map(parse, texts)), zone)
