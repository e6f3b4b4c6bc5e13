"""Worlds for the acceptance tests: on SQLite alone, and on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, a_world


@pytest.fixture
async def world(tmp_path: Path, sqlite_url: str) -> AsyncIterator[World]:
    """A world on SQLite."""
    async with a_world(tmp_path, sqlite_url) as made:
        yield made


@pytest.fixture
async def world_on_each(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """A world on SQLite, and one on PostgreSQL."""
    async with a_world(tmp_path, database_url) as made:
        yield made
