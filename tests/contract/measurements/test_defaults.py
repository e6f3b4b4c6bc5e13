"""The queries that are asked when none are set, of a real Prometheus with a usual exporter."""

from __future__ import annotations

import math

import pytest

from bot.adapters.prometheus.client import Prometheus
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.prometheus.questions import Questions
from bot.domain.naming import LabelMap
from bot.domain.verdict.incident import Metric
from store.records import AppEnv
from tests.builders import a_firing
from tests.contract.measurements.worlds import SINCE, UNTIL

TRIAGE, SEARCH, IDLE = (AppEnv(app, "prod") for app in ("triage", "search", "idle"))


async def test_the_defaults_measure_what_a_usual_exporter_shows(real_prometheus: str) -> None:
    places = [TRIAGE, SEARCH, IDLE]
    asking = PrometheusLookBack(
        Prometheus(real_prometheus), Questions(), labels=LabelMap(), known=places
    )
    try:
        measured = await asking(a_firing(), places, since=SINCE, until=UNTIL)
    finally:
        await asking.close()

    assert measured.missing == {}
    found = {w: {s.metric: s.values for s in series} for w, series in measured.series.items()}
    triage, search, idle = (found[where] for where in places)
    assert (triage[Metric.ERRORS][50], triage[Metric.ERRORS][70]) == pytest.approx((0, 0.25))
    assert (triage[Metric.LATENCY][50], triage[Metric.LATENCY][70]) == pytest.approx((0.95, 3.4))
    assert triage[Metric.LOAD][70] == pytest.approx(2)
    assert search[Metric.ERRORS][50] == 0, "without any error there is none, not nothing"
    assert idle[Metric.LOAD][50] == 0
    assert Metric.ERRORS not in idle or math.isnan(idle[Metric.ERRORS][50])
