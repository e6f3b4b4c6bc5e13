"""A second way into the database of a store: plain SQL, as an administrator has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from store.address import translate_url
from tests.builders import NOON


async def run(database_url: str, *statements: str, **values: Any) -> list[Any]:
    """Run *statements* in one transaction past the store; return the rows of the last one."""
    engine = create_async_engine(translate_url(database_url))
    rows: list[Any] = []
    try:
        async with engine.begin() as connection:
            for statement in statements:
                done = await connection.execute(text(statement), values)
                rows = [tuple(row) for row in done] if done.returns_rows else []
    finally:
        await engine.dispose()
    return rows


class Hand:
    """A clock that a test moves by hand; it begins at noon."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, time: timedelta) -> None:
        self.at += time

    def passes(self, **time: float) -> None:
        """Let *time* go by, in the words of `timedelta`."""
        self.pass_by(timedelta(**time))
