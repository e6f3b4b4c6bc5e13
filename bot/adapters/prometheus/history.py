"""What alerts did before, from the series `ALERTS` that Prometheus keeps of them; pure.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#inspecting-alerts-during-runtime
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bot.adapters.prometheus.promql import is_label
from bot.adapters.prometheus.wire import Track, Window
from bot.domain.naming import LabelMap
from bot.domain.verdict.incident import Alert
from store.records import AppEnv

NAME = "alertname"
_JOINED = 2  # steps: a gap shorter than that is a scrape or an evaluation that failed
Meaning = Callable[[Mapping[str, str]], AppEnv | None]


def query(labels: LabelMap) -> str:
    """What fired when, by its name and the labels from which *labels* tells the app@env."""
    named = {labels.app, labels.env, *(name for match in labels.match for name in match.labels)}
    by = ", ".join([NAME, *sorted(name for name in named - {NAME} if is_label(name))])
    return f'max by ({by}) (ALERTS{{alertstate="firing"}})'


def alerts(tracks: Iterable[Track], window: Window, meaning: Meaning) -> list[Alert]:
    """The spells of each alert of each app@env, in the order of their starts.

    A spell begins with the moment at which the alert is first seen firing, at most a step late,
    and ends a step after it is last seen. One that is seen at the last moment has no end, and one
    that is seen at the first may have begun earlier.
    """
    seen: dict[tuple[AppEnv, str], set[int]] = {}
    for track in tracks:
        where, name = meaning(track.labels), track.labels.get(NAME, "")
        if where is not None and name:
            firing = (n for n, value in enumerate(track.values) if not math.isnan(value))
            seen.setdefault((where, name), set()).update(firing)
    found = [
        Alert(
            where,
            name,
            starts_at=window.at(first),
            ends_at=None if last == window.count - 1 else window.at(last + 1),
        )
        for (where, name), moments in seen.items()
        for first, last in _runs(sorted(moments))
    ]
    return sorted(found, key=lambda alert: (alert.starts_at, str(alert.where), alert.name))


def _runs(moments: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of *moments*, in order."""
    if not moments:
        return
    first = moments[0]
    for here, there in itertools.pairwise(moments):
        if there - here - 1 >= _JOINED:
            yield first, here
            first = there
    yield first, moments[-1]
