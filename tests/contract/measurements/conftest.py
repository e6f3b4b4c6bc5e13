"""A Prometheus that holds the measurements of `worlds`, fake or real, and what asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from bot.adapters.prometheus.client import Prometheus
from bot.adapters.prometheus.look_back import PrometheusLookBack
from bot.adapters.prometheus.questions import Questions, Templates
from bot.domain.naming import LabelMap
from bot.playground.prometheus.server import LocalPrometheus
from store.records import AppEnv
from tests.contract.measurements.worlds import FAKE_RULES, HOSTILE, PATTERN_LIKE, SAMPLES, real

TRIAGE, SEARCH, ODD, LIKE = (
    AppEnv(app, "prod") for app in ("triage", "search", HOSTILE, PATTERN_LIKE)
)
TEMPLATES = Templates(
    errors='app_error_ratio{app="$app",env="$env"}',
    latency='app_latency_seconds{app="$app",env="$env"}',
    load='app_load{app="$app",env="$env",instance="a"}',
    other={"queue": 'app_queue{app=~"$app|",env="$env"}'},
)
Asking = Callable[..., PrometheusLookBack]


@pytest.fixture(scope="session")
def real_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real(tmp_path_factory.mktemp("prometheus")) as address:
        yield address


@pytest.fixture(params=["fake", "real"])
async def address(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "real":
        yield request.getfixturevalue("real_prometheus")
        return
    async with LocalPrometheus(SAMPLES, FAKE_RULES).here() as fake:
        yield fake.url


@pytest.fixture
async def asking(address: str) -> AsyncIterator[Asking]:
    """Make a look-back at the server with other templates than `TEMPLATES`, or with these."""
    async with AsyncExitStack() as closing:

        def make(templates: Templates = TEMPLATES) -> PrometheusLookBack:
            made = PrometheusLookBack(
                Prometheus(address),
                Questions(templates),
                labels=LabelMap(),
                known=[TRIAGE, SEARCH, ODD, LIKE],
            )
            closing.push_async_callback(made.close)
            return made

        yield make
