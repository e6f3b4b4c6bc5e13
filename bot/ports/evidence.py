"""What speaks for and against a suspect; absent until a source of it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from store.records import (
    Case,
    Firing,
    Json,
    Version,
)


class Onset(Protocol):
    """When the trouble began, from a source that is better than `startsAt`."""

    async def find(self, firing: Firing) -> tuple[datetime, datetime] | None: ...


class Evidence(Protocol):
    """What speaks for and against a suspect."""

    async def gather(self, case: Case, versions: Sequence[Version]) -> Mapping[str, Json]: ...
