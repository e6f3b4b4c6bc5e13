"""What is asked of Prometheus about each app@env; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.adapters.prometheus import templates
from bot.domain.verdict.incident import Metric
from store.records import AppEnv

STEP = timedelta(seconds=60)  # between two samples
LOOKBACK = timedelta(hours=7)
TIMEOUT = timedelta(seconds=5)  # for one query
WHOLE = 2  # times that is the time for everything of one look-back: a card waits for it


@dataclass(frozen=True)
class Templates:
    """One template for each metric; `other` by names of the user's choice."""

    errors: str = templates.ERRORS
    latency: str = templates.LATENCY
    load: str = templates.LOAD
    other: Mapping[str, str] = field(default_factory=dict)

    def all(self) -> Iterator[tuple[str, Metric, str]]:
        """(key, metric, template) of each."""
        yield "errors", Metric.ERRORS, self.errors
        yield "latency", Metric.LATENCY, self.latency
        yield "load", Metric.LOAD, self.load
        for name, template in self.other.items():
            yield f"other.{name}", Metric.OTHER, template


@dataclass(frozen=True)
class Question:
    """One query about one app@env; `key` is its name in the configuration."""

    where: AppEnv
    key: str
    metric: Metric
    query: str


@dataclass(frozen=True)
class Questions:
    """What is asked: `usual`, or of an app its `own`; `called` is what metrics call a place."""

    usual: Templates = field(default_factory=Templates)
    own: Mapping[str, Templates] = field(default_factory=dict)
    called: Mapping[AppEnv, AppEnv] = field(default_factory=dict)

    def of(self, where: AppEnv) -> list[Question]:
        """Everything that is asked about *where*."""
        name = self.called.get(where, where)
        return [
            Question(where, key, metric, templates.filled(text, app=name.app, env=name.env))
            for key, metric, text in self.own.get(where.app, self.usual).all()
        ]
