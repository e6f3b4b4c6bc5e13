"""What differs between two settings, what of it needs a restart, and a digest without secrets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from bot.config.settings import Settings

_PARTS: Mapping[str, Callable[[Settings], object]] = {
    "slack": lambda s: (
        s.slack.channel,
        s.slack.sre_channel,
        s.slack.team,
        s.slack.calling,
        s.slack.templates,
    ),
    "dify": lambda s: s.dify,
    "app": lambda s: (s.apps, s.places),
    "policy": lambda s: s.policies,
    "alerts": lambda s: s.alerts,
    "jobs": lambda s: s.job_managers,
    "events": lambda s: s.events,
    "people": lambda s: (s.people, s.authors),
    "prometheus": lambda s: s.prometheus,
    "alertmanager": lambda s: s.alertmanager,
    "webhook": lambda s: s.webhooks,
    "audit": lambda s: s.anchor_url,
    "KEYTURN_METRICS_TOKEN": lambda s: s.metrics_tokens,
    "KEYTURN_PUBLIC_URL": lambda s: s.public_url,
    "KEYTURN_SECRET_KEY": lambda s: s.secret_keys,
    "KEYTURN_WEBHOOK_TOKEN": lambda s: s.webhook_tokens,
    "SLACK_API_URL": lambda s: s.slack.api_url,
    "SLACK_BOT_TOKEN": lambda s: s.slack.bot_token,
    "SLACK_SIGNING_SECRET": lambda s: s.slack.signing_secrets,
}
_AT_START_ONLY = {
    "DATABASE_URL": "database_url",
    "PORT": "port",
    "KEYTURN_ADMIN_PORT": "admin_port",
    "KEYTURN_EXECUTION_LEASE": "execution_lease",
    "KEYTURN_FAILPOINT": "failpoint",
}
_SLACK_AT_START_ONLY = {"slack.mode": "mode", "SLACK_APP_TOKEN": "app_token"}


def changed(old: Settings, new: Settings) -> tuple[str, ...]:
    """The tables of keyturn.toml and the variables that differ, a secret by its name alone."""
    return tuple(name for name, part in _PARTS.items() if part(old) != part(new))


def kept_until_restart(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return *new* with what can only be set at start as in *old*, and the names of that."""
    names = {
        name: field
        for name, field in _AT_START_ONLY.items()
        if getattr(old, field) != getattr(new, field)
    }
    slack_names = {
        name: field
        for name, field in _SLACK_AT_START_ONLY.items()
        if getattr(old.slack, field) != getattr(new.slack, field)
    }
    slack = replace(new.slack, **_as_in(old.slack, slack_names))
    kept = replace(new, **_as_in(old, names), slack=slack)
    return kept, (*names, *slack_names)


def _as_in(old: object, names: Mapping[str, str]) -> dict[str, Any]:
    return {field: getattr(old, field) for field in names.values()}


def digest(settings: Settings) -> str:
    """SHA-256 over what can change while the service runs; of secrets only how many there are."""
    parts = {name: _plain(part(settings)) for name, part in _PARTS.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """*value* as JSON that is the same in every process."""
    match value:
        case SecretStr():
            found: object = "secret"
        case bool() | int() | float() | None:
            found = value
        case timedelta():
            found = value.total_seconds()
        case Mapping():
            found = {str(key): _plain(inner) for key, inner in value.items()}
        case set() | frozenset():
            found = sorted(str(inner) for inner in value)
        case tuple() | list():
            found = [_plain(inner) for inner in value]
        case _ if dataclasses.is_dataclass(value):
            names = (field.name for field in dataclasses.fields(value))
            found = {name: _plain(getattr(value, name)) for name in names}
        case _:
            found = str(value)
    return found
