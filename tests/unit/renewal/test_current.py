"""What is in use is replaced as a whole, and closed when its last user has gone."""

from __future__ import annotations

import asyncio

from bot.renewal.current import Current


class Closing:
    def __init__(self) -> None:
        self.closed: list[str] = []

    async def swap(self, current: Current[str], value: str) -> None:
        old = current.value

        async def close() -> None:
            self.closed.append(old)

        await current.swap(value, close=close)


async def test_who_began_with_the_old_one_keeps_it_and_it_is_closed_after_the_last() -> None:
    current, closing = Current("old"), Closing()
    async with current.use() as first:
        async with current.use() as second:
            await closing.swap(current, "new")
            async with current.use() as third:
                assert (first, second, third) == ("old", "old", "new")
        assert closing.closed == []
    assert closing.closed == ["old"]


async def test_what_nobody_uses_is_closed_at_once_and_each_only_once() -> None:
    current, closing = Current("one"), Closing()
    await closing.swap(current, "two")
    await closing.swap(current, "three")
    await current.close()

    assert closing.closed == ["one", "two"]
    assert current.value == "three"


async def test_a_user_that_fails_or_is_cancelled_lets_go() -> None:
    current, closing = Current("old"), Closing()
    inside = asyncio.Event()

    async def stay() -> None:
        async with current.use():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await inside.wait()
    await closing.swap(current, "new")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert closing.closed == ["old"]


async def test_at_the_end_everything_is_closed_though_it_is_held() -> None:
    current, closing = Current("old"), Closing()
    async with current.use():
        await closing.swap(current, "new")
        await current.close()
        assert closing.closed == ["old"]
    assert closing.closed == ["old"]
