"""Webhook bodies: those that Alertmanager 0.25.0 sent, byte for byte, and hand-made ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "payloads" / "alertmanager_0.25"
RECORDED = sorted(FOLDER.glob("webhook_*.json"))


def recorded(number: int) -> bytes:
    """The body of one recorded delivery by its number."""
    (path,) = FOLDER.glob(f"webhook_{number:03}_*.json")
    return path.read_bytes()


def an_alert(**changes: Any) -> dict[str, Any]:
    """One firing alert with *changes*; a change to None leaves the key out."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "app": "support-triage", "env": "prod"},
        "annotations": {"summary": "Error ratio 30%"},
        "startsAt": "2026-11-23T22:53:49.338Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "bc4c32b603cb6e1b",
    }
    return {key: value for key, value in {**alert, **changes}.items() if value is not None}


def a_message(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A version-4 message of *alerts* (one firing when none is given) with *changes*."""
    message = {
        "receiver": "keyturn",
        "status": "firing",
        "alerts": list(alerts) or [an_alert()],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not None}


def as_body(message: object) -> bytes:
    return json.dumps(message).encode()
