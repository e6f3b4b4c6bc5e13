"""After Slack was out of reach, what people see is what is stored."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.ports.store import Store
from bot.services.follow_up import FollowUp
from bot.services.resync import Resync
from tests.builders import ALICE, CHANNEL
from tests.unit.services.scene import Scene, a_pending


@dataclass
class Nudged:
    times: int = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def waiting(scene: Scene) -> int:
    async with scene.store.read() as tx:
        return await tx.outbox.waiting()


async def test_an_open_card_is_drawn_again_in_its_place(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    drawn, nudged = len(scene.messenger.drawn), Nudged()

    assert await Resync(scene.store, nudge=nudged)() == 1
    await scene.tell()

    assert nudged.times == 1
    assert list(scene.messenger.cards) == [(CHANNEL, (await scene.case(pending)).card_ts)]
    assert len(scene.messenger.drawn) == drawn + 1


async def test_a_card_that_somebody_deleted_stands_again_once(scene: Scene) -> None:
    await a_pending(scene.store)
    await scene.tell()
    (standing,) = scene.messenger.cards
    scene.messenger.delete(*standing)

    await Resync(scene.store, nudge=Nudged())()
    await scene.tell()

    assert len(scene.messenger.cards) == 1


async def test_a_card_that_was_not_posted_yet_gets_no_second_row(scene: Scene) -> None:
    await a_pending(scene.store)
    before = await waiting(scene)

    assert await Resync(scene.store, nudge=Nudged())() == 0
    assert await waiting(scene) == before
    await scene.tell()
    assert len(scene.messenger.cards) == 1


async def test_of_many_breaks_in_a_row_one_redraw_is_sent(scene: Scene) -> None:
    await a_pending(scene.store)
    await scene.tell()
    drawn = len(scene.messenger.drawn)

    for _ in range(5):
        await Resync(scene.store, nudge=Nudged())()
    await scene.tell()

    assert len(scene.messenger.drawn) == drawn + 1


async def test_a_case_that_is_over_is_left_as_it_stands(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    await scene.reject(ALICE, pending)
    await scene.judge()
    await scene.tell()
    assert await FollowUp(scene.store).close_cases() == 1

    assert await Resync(scene.store, nudge=Nudged())() == 0
    assert await waiting(scene) == 0
