"""What the local Prometheus of a story tells of the errors: usual, bad, and usual again."""

from __future__ import annotations

from datetime import timedelta
from statistics import mean

from bot.playground.prometheus.server import Samples
from bot.playground.story.measured import calmed, measured
from tests.builders import NOON

MINUTES = timedelta(minutes=1)


def errors(samples: list[Samples], since: float, until: float) -> float:
    (one,) = [s for s in samples if s.labels["__name__"] == "errors"]
    return mean(value for at, value in one.values.items() if since <= at < until)


def test_a_trouble_that_is_over_is_seen_to_be_over() -> None:
    began, over = NOON.timestamp(), (NOON + 10 * MINUTES).timestamp()
    samples = measured({"triage": NOON}, now=NOON)
    calm = calmed(samples, now=NOON + 10 * MINUTES)

    usual = errors(samples, began - 600, began)
    assert errors(samples, over, over + 300) > 5 * usual
    assert errors(calm, began, over) > 5 * usual
    assert errors(calm, over, over + 300) < 1.5 * usual
