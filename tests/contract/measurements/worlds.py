"""The same measurements in a fake Prometheus and in a real one, which is given them as blocks."""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.playground.prometheus.server import STALE_S, Samples

MINUTE = timedelta(minutes=1)
COUNT = 120  # minutes that were measured
# A real one refuses to be given the last hours, which it keeps elsewhere.
UNTIL = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)
SINCE = UNTIL - (COUNT - 1) * MINUTE
HOSTILE = 'a"}b\\.c+\n客'
PATTERN_LIKE = "tri.ge"
READY = "Server is ready to receive web requests"

RULES = """
groups:
- name: apps
  interval: 1h
  rules:
  - alert: HighErrorRate
    expr: app_error_ratio > 0.05
    for: 3m
    labels: {severity: page}
  - alert: HighErrorRate
    expr: app_error_ratio > 0.01
    for: 1h
    labels: {severity: ticket}
  - alert: LittleSuccess
    expr: app_success_ratio < 0.95
    for: 1m
  - alert: TooBusy
    expr: app_load > 10 or app_queue > 3
    for: 2m
"""
FAKE_RULES: Sequence[Mapping[str, Any]] = [
    {
        "type": "alerting",
        "state": "inactive",
        "name": name,
        "query": query,
        "duration": minutes * 60,
        "labels": labels,
        "annotations": {},
        "alerts": [],
    }
    for name, query, minutes, labels in (
        ("HighErrorRate", "app_error_ratio > 0.05", 3, {"severity": "page"}),
        ("HighErrorRate", "app_error_ratio > 0.01", 60, {"severity": "ticket"}),
        ("LittleSuccess", "app_success_ratio < 0.95", 1, {}),
        ("TooBusy", "app_load > 10 or app_queue > 3", 2, {}),
    )
]


def _measured(name: str, app: str, value: Any, **labels: str) -> Samples:
    """A series of `value(minute)`, without the minutes of which it says None."""
    at = {n: value(n) for n in range(COUNT)}
    return Samples(
        {"__name__": name, "app": app, "env": "prod", **labels},
        {SINCE.timestamp() + 60 * n: v for n, v in at.items() if v is not None},
    )


def _firing(name: str, app: str, *spells: tuple[int, int], **labels: str) -> Samples:
    state = {"alertname": name, "alertstate": "firing", **labels}
    inside = [n for first, last in spells for n in range(first, last + 1)]
    return _measured("ALERTS", app, lambda n: 1.0 if n in inside else None, **state)


SAMPLES: Sequence[Samples] = [
    _measured("app_error_ratio", "triage", lambda n: 0.2 if n >= 60 else 0.01, instance="a"),
    _measured("app_error_ratio", "search", lambda n: None if 10 <= n < 20 else 0.02, instance="a"),
    _measured("app_error_ratio", HOSTILE, lambda n: 0.5, instance="a"),
    _measured("app_error_ratio", PATTERN_LIKE, lambda n: 0.75, instance="a"),
    _measured("app_latency_seconds", "triage", lambda n: math.nan if n < 5 else 1.5),
    _measured("app_load", "triage", lambda n: 10.0, instance="a"),
    _measured("app_load", "triage", lambda n: 20.0, instance="b"),
    _measured("app_queue", "triage", lambda n: math.inf if n == 7 else float(n)),
    _measured("app_success_ratio", "triage", lambda n: 0.75),
    _firing("HighErrorRate", "triage", (30, 40), (42, 50), (63, COUNT - 1), instance="a"),
    _firing("HighErrorRate", "triage", (45, 55), instance="b"),
    _firing("HighErrorRate", "search", (0, 2)),
    _firing("HighErrorRate", "nobody's", (0, 2)),
    _measured("ALERTS", "triage", lambda n: 1.0, alertname="Waits", alertstate="pending"),
]


def _counted(name: str, app: str, a_minute: Callable[[int], float], **labels: str) -> Samples:
    """A counter that grows by `a_minute(minute)`."""
    total = list(itertools.accumulate(a_minute(n) for n in range(COUNT)))
    return _measured(name, app, lambda n: float(total[n]), **labels)


# What an exporter of an HTTP server has: 2 requests a second of triage, of which a quarter fails
# from minute 60 on and then takes four seconds; search has not failed, and nobody used idle.
EXPORTED: Sequence[Samples] = [
    _counted("http_requests_total", "triage", lambda n: 120 if n < 60 else 90, status="200"),
    _counted("http_requests_total", "triage", lambda n: 0 if n < 60 else 30, status="503"),
    _counted("http_requests_total", "search", lambda n: 60, status="200"),
    _counted("http_requests_total", "idle", lambda n: 0, status="200"),
    *(
        _counted(
            "http_request_duration_seconds_bucket",
            "triage",
            lambda n, then=then: 120 if n < 60 else then,  # type: ignore[misc]
            le=le,
        )
        for le, then in (("1.0", 90), ("4.0", 120), ("+Inf", 120))
    ),
]


@contextmanager
def real(folder: Path) -> Iterator[str]:
    """Run a real Prometheus that holds `SAMPLES` and `RULES`; yields its address.

    Skips the test where it is not installed. It ends by its own process id.
    """
    programs = [shutil.which(name) for name in ("prometheus", "promtool")]
    if None in programs:
        pytest.skip("no program called prometheus or promtool is installed")
    prometheus, promtool = (str(program) for program in programs)
    (folder / "samples.txt").write_text(_open_metrics([*SAMPLES, *EXPORTED]), encoding="utf-8")
    (folder / "rules.yml").write_text(RULES, encoding="utf-8")
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n", encoding="utf-8")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"]
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True, timeout=60)
    command = [
        prometheus,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        f"--query.lookback-delta={STALE_S:g}s",
        "--web.listen-address=127.0.0.1:0",
        "--log.format=json",
    ]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Wait until it is ready; what it says afterwards is read, so that it never has to wait."""
    import json

    assert process.stderr is not None
    address = ""
    for line in process.stderr:
        said = json.loads(line)
        address = said.get("address", address)
        if READY in said.get("msg", ""):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return f"http://{address}"
    raise AssertionError("Prometheus ended at its start")


def _open_metrics(series: Sequence[Samples]) -> str:
    """https://github.com/OpenObservability/OpenMetrics/blob/main/specification/OpenMetrics.md"""
    lines = []
    for name in dict.fromkeys(one.labels["__name__"] for one in series):
        lines.append(f"# TYPE {name} gauge")
        for one in (one for one in series if one.labels["__name__"] == name):
            labels = ",".join(
                f'{label}="{_escaped(value)}"'
                for label, value in one.labels.items()
                if label != "__name__"
            )
            lines += [f"{name}{{{labels}}} {_number(v)} {t:.3f}" for t, v in one.values.items()]
    return "\n".join([*lines, "# EOF", ""])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value == math.inf else repr(value)
