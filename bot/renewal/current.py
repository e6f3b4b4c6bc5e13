"""What is in use now, replaced as a whole while it is in use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Close = Callable[[], Awaitable[None]]


@dataclass
class _Held(Generic[T]):
    value: T
    users: int = 0
    close: Close | None = None  # once it was replaced


class _Use(AbstractAsyncContextManager[T]):
    """Every request does this: by a generator it would take three times as long."""

    def __init__(
        self, present: Callable[[], _Held[T]], close: Callable[[_Held[T]], Awaitable[None]]
    ) -> None:
        self._present = present
        self._close = close

    async def __aenter__(self) -> T:
        self._held = self._present()
        self._held.users += 1
        return self._held.value

    async def __aexit__(self, *_: object) -> None:
        self._held.users -= 1
        if self._held.close is not None:
            await self._close(self._held)


class Current(Generic[T]):
    """One value. Who has begun with it ends with it; who comes after a swap gets the new one."""

    def __init__(self, value: T) -> None:
        self._held = _Held(value)
        self._replaced: list[_Held[T]] = []

    @property
    def value(self) -> T:
        """The present one, for a look that needs nothing open in it afterwards."""
        return self._held.value

    def use(self) -> AbstractAsyncContextManager[T]:
        """Hold the present value: nothing that belongs to it is closed before the end."""
        return _Use(lambda: self._held, self._close_if_done)

    async def swap(self, value: T, *, close: Close) -> None:
        """Put *value* in place at once; *close* is called when nobody uses the old one any more."""
        old, self._held = self._held, _Held(value)
        old.close = close
        self._replaced.append(old)
        await self._close_if_done(old)

    async def close(self) -> None:
        """Close what was replaced, also what is still held: nobody works any more."""
        for held in list(self._replaced):
            held.users = 0
            await self._close_if_done(held)

    async def _close_if_done(self, held: _Held[T]) -> None:
        if held.close is not None and held.users == 0:
            close, held.close = held.close, None
            self._replaced.remove(held)
            await close()
