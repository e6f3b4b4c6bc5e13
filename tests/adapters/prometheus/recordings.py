"""Answers of a real Prometheus 2.42.0 on loopback, and the windows that were asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.adapters.prometheus.wire import Window

_FOLDER = Path(__file__).parents[2] / "payloads" / "prometheus_2.42"


def recorded(name: str) -> dict[str, Any]:
    """The exchange called *name*: request, status, response."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def body(name: str) -> bytes:
    """The bytes of the answer called *name*."""
    return json.dumps(recorded(name)["response"]).encode()


def window(name: str) -> Window:
    """The window of the query called *name*."""
    asked = parse_qs(urlsplit(recorded(name)["request"]["url"]).query)
    began, ends = (datetime.fromtimestamp(int(asked[k][0]), UTC) for k in ("start", "end"))
    step = timedelta(seconds=int(asked["step"][0].rstrip("s")))
    return Window(began, step, (ends - began) // step + 1)
