"""What the database knows and how the process stands, in Prometheus's words.

Names and units follow https://prometheus.io/docs/practices/naming/. What is of the database is
the same on every replica: a query takes `max` over them, not `sum`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest

from bot.domain.phases import Phase
from bot.services.figures import Reading, Told
from store.records import SinkState

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# From what Keyturn does in moments to what people take half a night for.
BUCKETS_S: Final = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
_ROOT: Final = 16  # of a root's characters: enough to tell versions apart


Labels = TypeVar("Labels", bound=tuple[str, ...])
Trouble = Collection[tuple[str, str]]  # "down" or "degraded", and of what


def text(process: CollectorRegistry, trouble: Trouble, reading: Reading | None) -> bytes:
    """Return everything as one page; without a *reading* what the process knows by itself.

    Args:
        process: What the process has counted.
        trouble: What works not.
        reading: What the database knew; None when it does not answer.
    """
    told = CollectorRegistry()
    told.register(_Families([*_standing(trouble, reading), *(_stored(reading) if reading else ())]))
    return generate_latest(process) + generate_latest(told)


class _Families:
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _standing(trouble: Trouble, reading: Reading | None) -> Iterator[Metric]:
    yield _gauge(
        "keyturn_database_up",
        "Whether the database answered this scrape; without it nothing of it is told.",
        {(): 1 if reading is not None else 0},
    )
    yield _gauge(
        "keyturn_trouble",
        "1 for each part that works not, as /readyz names it: `down` takes the process out of "
        "the router, `degraded` does not.",
        dict.fromkeys(trouble, 1),
        "kind",
        "part",
    )


def _stored(reading: Reading) -> Iterator[Metric]:
    yield from _versions(reading)
    yield from _rollbacks([one for one in reading.rollbacks if not one.drill])
    yield from _queues(reading)
    yield from _sinks(reading)
    yield _gauge("keyturn_cases_open", "Cases that are open.", {(): reading.open_cases})
    yield _gauge(
        "keyturn_paused",
        "1 while the database is marked as paused: nothing is executed.",
        {(): int(reading.paused)},
    )
    yield _gauge(
        "keyturn_job_finished_timestamp_seconds",
        "When each job was finished last, on any replica.",
        {(job,): at.timestamp() for job, at in reading.ticked.items()},
        "task",  # a label called job is Prometheus's own
    )
    yield _counter(
        "keyturn_audit_entries",
        "Entries of the audit chain, by what was done and what became of it.",
        reading.audited,
        "action",
        "status",
    )
    yield _gauge(
        "keyturn_audit_head", "Number of the newest entry of the chain.", {(): reading.audit_seq}
    )


def _versions(reading: Reading) -> Iterator[Metric]:
    newest = reading.live
    yield _gauge(
        "keyturn_config_version_info",
        "The newest version of each app, with the beginning of its root.",
        {(v.where.app, v.where.env, str(v.number), v.root[:_ROOT]): 1 for v in newest},
        *("app", "env", "version", "root"),
    )
    yield _gauge(
        "keyturn_config_changed_timestamp_seconds",
        "When that version was published.",
        {(v.where.app, v.where.env): v.published_at.timestamp() for v in newest},
        *("app", "env"),
    )


def _rollbacks(told: Sequence[Told]) -> Iterator[Metric]:
    asked = Counter((one.where.app, one.where.env, _asked(one)) for one in told)
    yield _counter(
        "keyturn_rollbacks",
        "Rollbacks that were opened; `alert` are Keyturn's suggestions.",
        asked,
        *("app", "env", "asked_by"),
    )
    states = Counter((one.where.env, one.state.value) for one in told)
    yield _gauge(
        "keyturn_rollbacks_in_state", "Rollbacks by the state they are in.", states, "env", "state"
    )
    votes: Counter[tuple[str, ...]] = Counter()
    for one in told:
        votes[one.where.env, "approve"] += one.approvals
        votes[one.where.env, "reject"] += one.rejections
    yield _gauge("keyturn_votes", "Votes that stand, by choice.", votes, "env", "choice")
    yield _counter(
        "keyturn_glass_broken",
        "Rollbacks that one person started alone.",
        Counter((one.where.env,) for one in told if one.broke_glass),
        "env",
    )
    yield _gauge(
        "keyturn_recoveries",
        "Rollbacks that an alert brought about, by whether they helped.",
        Counter((one.where.env, one.recovery) for one in told if one.recovery),
        *("env", "outcome"),
    )
    yield _phases(told)


def _asked(told: Told) -> str:
    return "alert" if told.by_alert else "person"


def _phases(told: Sequence[Told]) -> Metric:
    """How long each part of the way took: suggest, approve, execute, recover."""
    family = HistogramMetricFamily(
        "keyturn_phase_seconds",
        "From the alert to the suggestion, the last approval, verified live, and recovered: each "
        "from the one before.",
        labels=("env", "phase"),
    )
    found: defaultdict[tuple[str, Phase], list[float]] = defaultdict(list)
    for one in told:
        for phase, seconds in one.phases.items():
            found[one.where.env, phase].append(seconds)
    for (env, phase), seen in sorted(found.items()):
        buckets = [(str(float(le)), sum(s <= le for s in seen)) for le in BUCKETS_S]
        family.add_metric((env, phase), [*buckets, ("+Inf", len(seen))], sum(seen))
    return family


def _queues(reading: Reading) -> Iterator[Metric]:
    yield _gauge(
        "keyturn_queue_waiting",
        "What waits: clicks and commands to be judged (`inbox`), what is to be told to `people`, "
        "to `alertmanager` and to whoever keeps `anchors`, versions to look at (`core`), and "
        "webhooks that were acknowledged and are to be filed (`arrivals`, at most so many) or "
        "could not be (`set_aside`).",
        {(one.queue,): one.waiting for one in reading.backlogs},
        "queue",
    )
    yield _gauge(
        "keyturn_queue_oldest_seconds",
        "How long the oldest of them has waited; 0 when nothing waits.",
        {(one.queue,): _age(one.oldest, reading.at) for one in reading.backlogs},
        "queue",
    )


def _sinks(reading: Reading) -> Iterator[Metric]:
    told: tuple[tuple[str, str, Callable[[SinkState], float]], ...] = (
        ("events_sent", "Events that each sink took.", lambda one: one.sent),
        ("events_failed", "Tries that each sink did not take.", lambda one: one.failed),
        ("events_given_up", "Events that a sink did not take for too long.", lambda o: o.given_up),
    )
    for name, says, count in told:
        yield _counter(
            f"keyturn_{name}", says, {(one.name,): count(one) for one in reading.sinks}, "sink"
        )
    yield _gauge(
        "keyturn_events_waiting",
        "Events that each sink has not got yet.",
        {(one.name,): one.waiting for one in reading.sinks},
        "sink",
    )
    yield _gauge(
        "keyturn_events_lag_seconds",
        "How long the oldest of them has waited; 0 when nothing waits.",
        {(one.name,): _age(one.oldest, reading.at) for one in reading.sinks},
        "sink",
    )


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)


def _gauge(
    name: str,
    says: str,
    values: Mapping[Labels, float],
    *labels: str,
) -> Metric:
    family = GaugeMetricFamily(name, says, labels=labels)
    for of, value in sorted(values.items()):
        family.add_metric(of, value)
    return family


def _counter(name: str, says: str, values: Mapping[Labels, float], *labels: str) -> Metric:
    family = CounterMetricFamily(name, says, labels=labels)
    for of, value in sorted(values.items()):
        family.add_metric(of, value)
    return family
