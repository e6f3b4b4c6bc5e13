"""Up to which id no row can come any more: an id is given before its row is seen."""

from __future__ import annotations

from datetime import timedelta

from store.settling import IN_FLIGHT, Settling
from tests.builders import NOON

SECOND = timedelta(seconds=1)


def test_with_one_writer_at_a_time_rows_come_in_the_order_of_their_ids() -> None:
    assert Settling(at_once=True).through(7, NOON) == 7


def test_with_several_an_id_is_settled_when_none_below_it_can_be_on_its_way() -> None:
    settling = Settling(at_once=False)

    assert settling.through(7, NOON) == 0
    assert settling.through(9, NOON + IN_FLIGHT) == 0
    assert settling.through(12, NOON + IN_FLIGHT + SECOND) == 7
    assert settling.through(12, NOON + 2 * IN_FLIGHT + SECOND) == 9


def test_what_is_settled_stays_so_while_nothing_comes() -> None:
    settling = Settling(at_once=False)
    settling.through(7, NOON)
    for n in range(1, 4):
        assert settling.through(7, NOON + n * 2 * IN_FLIGHT) == 7
