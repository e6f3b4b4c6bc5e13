"""Times that a policy names, on the clock of its time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.windows import NEVER, parse, windows

BERLIN, UTC_CLOCK = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def at(text: str, zone: ZoneInfo = UTC_CLOCK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("window", "moment", "until"),
    [
        ("22:00-07:00", "2026-11-24T23:00", "2026-11-25T07:00"),
        ("22:00-07:00", "2026-11-24T06:59", "2026-11-24T07:00"),
        ("22:00-07:00", "2026-11-24T07:00", None),
        ("22:00-07:00", "2026-11-24T21:59", None),
        ("22:30-07:15", "2026-11-24T22:29", None),
        ("22:30-07:15", "2026-11-24T22:30", "2026-11-25T07:15"),
        ("fri 16:00-24:00", "2026-11-27T16:00", "2026-11-28T00:00"),
        ("fri 16:00-24:00", "2026-11-26T17:00", None),
        ("fri 22:00-06:00", "2026-11-28T05:00", "2026-11-28T06:00"),
        ("sat-sun 00:00-24:00", "2026-11-28T03:00", "2026-11-30T00:00"),
        ("sat,mon 00:00-24:00", "2026-11-28T03:00", "2026-11-29T00:00"),
        ("sat,mon 00:00-24:00", "2026-11-29T03:00", None),
        ("sat,mon 00:00-24:00", "2026-11-30T03:00", "2026-12-01T00:00"),
        ("sat-tue 00:00-24:00", "2026-11-28T03:00", "2026-12-02T00:00"),
        ("2026-12-20/2027-01-02", "2027-01-02T23:59", "2027-01-03T00:00"),
        ("2026-12-20/2027-01-02", "2026-12-19T23:59", None),
        ("2026-12-20/2027-01-02", "2026-12-20T00:00", "2027-01-03T00:00"),
        ("2026-12-20T18:00/2026-12-21T06:00", "2026-12-20T18:00", "2026-12-21T06:00"),
    ],
)
def test_a_window_holds_a_moment_until_its_end(window: str, moment: str, until: str | None) -> None:
    found = windows([window], ZoneInfo("UTC")).until(at(moment))

    assert found == (at(until) if until else None)


def test_windows_that_meet_are_one_time() -> None:
    several = windows(["fri 16:00-24:00", "sat-sun 00:00-24:00", "mon 00:00-08:00"], BERLIN)

    assert several.until(at("2026-11-27T17:00", BERLIN)) == at("2026-11-30T08:00", BERLIN)


def test_a_window_is_on_the_clock_of_its_zone_also_when_the_clock_changes() -> None:
    night = windows(["22:00-07:00"], BERLIN)

    assert night.until(at("2026-07-01T20:30")) == at("2026-07-02T05:00")  # summer: UTC + 2
    assert night.until(at("2026-12-01T20:30")) is None  # winter: UTC + 1
    assert night.until(at("2026-10-24T21:00")) == at("2026-10-25T06:00")  # ten hours that night


def test_a_time_from_one_date_to_another_is_on_that_clock_too_and_so_is_what_is_said() -> None:
    closed = windows(["2026-12-20T18:00/2026-12-21T06:00"], BERLIN)

    assert closed.until(at("2026-12-20T16:59")) is None  # winter: UTC + 1
    assert closed.until(at("2026-12-21T05:00")) is None
    end = closed.until(at("2026-12-20T17:00"))
    assert end == at("2026-12-21T05:00")
    assert end.tzinfo is BERLIN


def test_in_the_hour_that_a_clock_shows_twice_the_end_is_still_ahead() -> None:
    night = windows(["22:00-02:30"], BERLIN)
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time

    assert night.until(second) is None
    first = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    end = night.until(first)
    assert end is not None
    assert end.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_what_is_always_closed_says_a_far_end_and_without_windows_there_is_none() -> None:
    always = windows(["00:00-24:00"], ZoneInfo("UTC")).until(at("2026-11-24T12:00"))

    assert always is not None
    assert always > at("2027-11-24T12:00")
    assert NEVER.until(at("2026-11-24T12:00")) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be"),
        ("25:00-07:00", "must be"),
        ("22:00", "must be"),
        ("frday 16:00-24:00", "must be"),
        ("abc 16:00-24:00", "'abc' is no day: mon, tue, wed, thu, fri, sat, sun$"),
        ("fri-xyz 16:00-24:00", "'xyz' is no day"),
        ("2026-12-20/2026-12-19", "must end after it begins$"),
        ("2026-12-20T18:00/2026-12-20T18:00", "must end after it begins$"),
        ("2026-13-20/2027-01-01", "must be"),
        ("2026-12-20T18:00+01:00/2026-12-21", "has no time zone of its own: `timezone`"),
        ("2026-12-20/9999-12-31", "must be"),
    ],
)
def test_what_is_no_window_is_refused_with_its_form(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        parse(text)


@given(st.integers(0, 2 * 365 * 24 * 60))
def test_the_end_is_later_and_no_longer_inside(minutes: int) -> None:
    several = windows(["mon-fri 22:00-07:00", "sat 00:00-24:00"], BERLIN)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    end = several.until(now)

    if end is not None:
        assert end > now
        assert several.until(end) is None
