"""JSON as it comes and goes."""

from __future__ import annotations

from typing import Any

Json = Any
