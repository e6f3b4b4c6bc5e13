"""When a case is over."""

from __future__ import annotations

import pytest

from bot.domain.closing import over
from store.records import CaseState, FiringStatus, State
from tests.builders import NOON, a_case, a_firing, a_rollback

RESOLVED = a_firing(status=FiringStatus.RESOLVED)


def test_a_case_is_over_when_its_rollback_ended_and_nothing_fires() -> None:
    ended = a_rollback(state=State.COMPLETED)

    assert over(a_case(), rollback=ended, firings=[RESOLVED])
    assert over(a_case(), rollback=ended, firings=[])
    assert over(a_case(rollback_id=None), rollback=None, firings=[RESOLVED])


@pytest.mark.parametrize("state", [s for s in State if a_rollback(state=s).open])
def test_an_open_rollback_keeps_its_case_open(state: State) -> None:
    assert not over(a_case(), rollback=a_rollback(state=state), firings=[RESOLVED])


def test_an_alert_that_still_fires_keeps_the_case_open() -> None:
    rejected = a_rollback(state=State.REJECTED)

    assert not over(a_case(), rollback=rejected, firings=[RESOLVED, a_firing()])


def test_a_verified_rollback_ends_its_case_so_that_a_later_alert_is_another_incident() -> None:
    verified = a_rollback(state=State.COMPLETED)

    assert over(a_case(), rollback=verified, firings=[RESOLVED, a_firing()])


def test_a_case_that_is_still_to_be_looked_at_stays_open() -> None:
    assert not over(a_case(assess_at=NOON), rollback=None, firings=[RESOLVED])


def test_a_case_in_which_nothing_has_happened_yet_stays_open() -> None:
    assert not over(a_case(rollback_id=None), rollback=None, firings=[])


def test_a_closed_case_is_not_over_again() -> None:
    ended = a_rollback(state=State.COMPLETED)

    assert not over(a_case(state=CaseState.CLOSED), rollback=ended, firings=[])
