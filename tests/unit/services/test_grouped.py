"""Deliveries that come together are stored together, and each sender hears of its own alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from bot.errors import Congested
from bot.services import grouped
from bot.services.grouped import Grouped
from store.records import Delivery, StoreError, Unavailable
from tests.builders import a_firing


def a_delivery(name: str, *, body: bytes = b"{}", alerts: int = 1) -> Delivery:
    firings = tuple(a_firing(fingerprint=f"{name}-{n}") for n in range(alerts))
    return Delivery("alertmanager", "keyturn", "group", name, 0, firings, body)


class Disk:
    """Takes groups while its gate is open; `poison` is what it chokes on, `lost` is all of it."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.poison: set[str] = set()
        self.lost = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def __call__(self, *deliveries: Delivery) -> None:
        self.entered.set()
        await self.gate.wait()
        names = [one.digest for one in deliveries]
        if self.lost:
            raise Unavailable("the disk is full")
        if self.poison & set(names):
            raise StoreError("it cannot be stored")
        self.groups.append(names)

    @property
    def stored(self) -> list[str]:
        return [name for group in self.groups for name in group]


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def behind_one(disk: Disk, store: Grouped, *names: str) -> list[asyncio.Task[None]]:
    """Hand over *names* while another delivery, "0", is being stored."""
    disk.gate.clear()
    first = asyncio.create_task(store(a_delivery("0")))
    await asyncio.wait_for(disk.entered.wait(), 20)
    others = [asyncio.create_task(store(a_delivery(name))) for name in names]
    await asyncio.sleep(0)
    return [first, *others]


async def test_what_comes_while_one_is_stored_is_one_group(disk: Disk) -> None:
    store = Grouped(disk)
    tasks = await behind_one(disk, store, "a", "b", "c")

    disk.gate.set()
    await asyncio.gather(*tasks)

    assert disk.groups == [["0"], ["a", "b", "c"]]


async def test_nobody_is_answered_before_the_group_is_stored(disk: Disk) -> None:
    disk.gate.clear()
    task = asyncio.create_task(Grouped(disk)(a_delivery("a")))
    await disk.entered.wait()
    assert not task.done()

    disk.gate.set()
    await task

    assert disk.stored == ["a"]


async def test_one_that_cannot_be_stored_fails_alone(disk: Disk) -> None:
    store, disk.poison = Grouped(disk), {"b"}
    tasks = await behind_one(disk, store, "a", "b", "c")

    disk.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in told] == [type(None), type(None), StoreError, type(None)]
    assert disk.stored == ["0", "a", "c"]


async def test_without_a_database_all_are_told_and_the_next_are_tried_anew(disk: Disk) -> None:
    store, disk.lost = Grouped(disk), True
    tasks = await behind_one(disk, store, "a", "b")
    disk.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in told)

    disk.lost = False
    await store(a_delivery("a"))

    assert disk.stored == ["a"]


async def test_whoever_goes_away_takes_along_nobody_else(disk: Disk) -> None:
    store = Grouped(disk)
    tasks = await behind_one(disk, store, "a", "b", "c")
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)

    disk.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert disk.stored == ["0", "a", "c"], "one that is under way is stored, one that waits is not"
    assert [isinstance(one, asyncio.CancelledError) for one in told] == [True, False, True, False]


async def test_too_many_that_wait_are_asked_to_come_again(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "MOST_WAITING", 2)
    store = Grouped(disk)
    tasks = await behind_one(disk, store, "a", "b")

    with pytest.raises(Congested):
        await store(a_delivery("c"))
    disk.gate.set()
    await asyncio.gather(*tasks)

    assert disk.stored == ["0", "a", "b"]


async def test_too_many_bytes_that_wait_are_asked_to_come_again_but_one_always_fits(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "MOST_BYTES", 10)
    store = Grouped(disk)
    huge = replace(a_delivery("huge"), body=b"x" * 100)
    await store(huge)
    tasks = await behind_one(disk, store, "a")

    with pytest.raises(Congested):
        await store(huge)
    disk.gate.set()
    await asyncio.gather(*tasks)

    assert disk.stored == ["huge", "0", "a"]


async def test_a_group_is_never_so_large_that_others_wait_long_for_it(disk: Disk) -> None:
    store = Grouped(disk)
    tasks = await behind_one(disk, store)
    tasks += [asyncio.create_task(store(a_delivery(f"{n}s", alerts=400))) for n in range(5)]
    await asyncio.sleep(0)

    disk.gate.set()
    await asyncio.gather(*tasks)

    assert [len(group) for group in disk.groups] == [1, 2, 2, 1]


async def test_what_is_cut_off_at_the_end_is_told_to_all_who_wait(disk: Disk) -> None:
    store = Grouped(disk)
    tasks = await behind_one(disk, store, "a", "b")
    running = store._task
    assert running is not None

    running.cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(one, Unavailable) for one in told)
    assert disk.stored == []


async def test_what_is_cut_off_one_by_one_is_told_to_all_who_wait(disk: Disk) -> None:
    store, disk.poison = Grouped(disk), {"a"}
    tasks = await behind_one(disk, store, "a", "b", "c")
    running = store._task
    assert running is not None

    async def cut_off(*deliveries: Delivery) -> None:
        if len(deliveries) > 1:
            raise StoreError("it cannot be stored")
        running.cancel()
        await asyncio.sleep(0)

    store._store_all = cut_off
    disk.gate.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in told] == [type(None), *[Unavailable] * 3]


async def test_a_disk_that_hangs_is_a_refusal_for_those_behind_it_too(disk: Disk) -> None:
    store = Grouped(disk, within_s=0.3)
    tasks = await behind_one(disk, store, "a")

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    disk.gate.set()
    with suppress(Unavailable):  # its time may be over, too
        await store(a_delivery("b"))
    assert disk.stored[0] == "0", "what was begun is done"
    assert "a" not in disk.stored, "what nobody waits for is not"


async def test_who_comes_after_a_refusal_is_refused_in_time_too(disk: Disk) -> None:
    disk.gate.clear()
    store = Grouped(disk, within_s=0.01)

    for name in ("a", "b", "c"):
        with pytest.raises(Unavailable, match=r"within 0\.01 s"):
            await store(a_delivery(name))

    assert disk.groups == []


async def test_nothing_is_stored_for_nobody(disk: Disk) -> None:
    store = Grouped(disk)
    first, *others = await behind_one(disk, store, "a", "b")
    for task in others:
        task.cancel()

    disk.gate.set()
    await first
    await store(a_delivery("c"))

    assert disk.groups == [["0"], ["c"]]


async def test_bodies_of_many_bytes_are_groups_of_their_own(disk: Disk) -> None:
    store = Grouped(disk)
    disk.gate.clear()
    first = asyncio.create_task(store(a_delivery("0")))
    await disk.entered.wait()
    large = b" " * 3 * 1024 * 1024
    others = [asyncio.create_task(store(a_delivery(name, body=large))) for name in "ab"]
    await asyncio.sleep(0)

    disk.gate.set()
    await asyncio.gather(first, *others)

    assert disk.groups == [["0"], ["a"], ["b"]]
