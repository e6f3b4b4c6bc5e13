"""An alert as Alertmanager sends it: a version-4 webhook body with a bearer token.

Recorded from Alertmanager 0.25 (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp

NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: a firing alert has not ended


@dataclass(frozen=True)
class Alert:
    """One alert of one label set; it fires from `starts_at` until it is resolved."""

    app: str
    env: str
    starts_at: datetime
    name: str = "HighErrorRate"
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits over the label set, like Alertmanager's own."""
        text = "\0".join(f"{k}={v}" for k, v in sorted(self.all_labels.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def all_labels(self) -> dict[str, str]:
        return {"alertname": self.name, "app": self.app, "env": self.env,
                "severity": "critical", **self.labels}  # fmt: skip

    def body(self, *, ended_at: datetime | None = None) -> dict[str, Any]:
        """Return the webhook body that says that it fires, or that it ended."""
        status = "resolved" if ended_at else "firing"
        group = {"alertname": self.name, "app": self.app, "env": self.env}
        annotations = {"summary": f"Error ratio above 5% for {self.app} in {self.env}"}
        alert = {
            "status": status,
            "labels": self.all_labels,
            "annotations": annotations,
            "startsAt": _iso(self.starts_at),
            "endsAt": _iso(ended_at) if ended_at else NEVER,
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": self.fingerprint,
        }
        key = ", ".join(f'{name}="{value}"' for name, value in group.items())
        return {
            "receiver": "keyturn",
            "status": status,
            "alerts": [alert],
            "groupLabels": group,
            "commonLabels": self.all_labels,
            "commonAnnotations": annotations,
            "externalURL": "http://127.0.0.1:9093",
            "version": "4",
            "groupKey": "{}:{" + key + "}",
            "truncatedAlerts": 0,
        }


async def send(body: dict[str, Any], *, url: str, token: str) -> int:
    """Post *body* to the webhook at *url*; return the HTTP status of the answer."""
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "Alertmanager/0.25.0"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
        session.post(url, json=body) as response,
    ):
        return response.status


def _iso(at: datetime) -> str:
    """RFC 3339 to the millisecond, rounded up: else it would begin before a publish just made."""
    whole = at + timedelta(microseconds=-at.microsecond % 1000)
    return whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")
