"""A store whose clock the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.approval import MOVES
from store.session import SqlStore, open_store
from tests.contract.store.raw import Hand


@pytest.fixture
def hand() -> Hand:
    """The clock of `timed_store`."""
    return Hand()


@pytest.fixture
async def timed_store(database_url: str, hand: Hand) -> AsyncIterator[SqlStore]:
    """An open store on each of the two kinds of database, with the clock *hand*."""
    opened = await open_store(database_url, moves=MOVES, clock=hand, durable=False)
    yield opened
    await opened.close()


@pytest.fixture
async def replica(database_url: str, hand: Hand) -> AsyncIterator[SqlStore]:
    """A second process's view of the database of `timed_store`, at the same time."""
    opened = await open_store(database_url, moves=MOVES, clock=hand, durable=False)
    yield opened
    await opened.close()
