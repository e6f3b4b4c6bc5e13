"""A chart as it is kept until it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bot.domain.chart.view import ChartView
from store.records import Corrupt, Json


def as_json(view: ChartView) -> dict[str, Json]:
    """Return *view* as a JSON object."""
    kept: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(view))
    return kept


def from_json(kept: Mapping[str, Json]) -> ChartView:
    """Return the chart that `as_json` made *kept* of.

    Raises:
        Corrupt: It is none, or one of another release.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(kept), type=ChartView)
    except msgspec.ValidationError as error:
        raise Corrupt(f"no chart: {error}") from error
