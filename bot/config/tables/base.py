"""What every table is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Criticality = Literal["low", "medium", "high", "critical"]


class Table(BaseModel):
    """A table whose keys are all known; nothing is converted, nothing of it is quoted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
