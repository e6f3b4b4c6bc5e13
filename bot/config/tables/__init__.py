"""The tables of keyturn.toml. The descriptions are the configuration reference of the README."""

from __future__ import annotations

from pydantic import Field

from bot.config import fields
from bot.config.tables.alerting import (
    AlertmanagerTable,
    AlertsTable,
    PrometheusTable,
    WebhookTable,
)
from bot.config.tables.apps import (
    AppTable,
    DifyTable,
    MetricsTable,
)
from bot.config.tables.base import Table
from bot.config.tables.events import EventsTable
from bot.config.tables.people import PeopleTable, SlackTable
from bot.config.tables.policies import PolicyTable
from bot.config.tables.upkeep import AuditTable, JobsTable, RetentionTable

__all__ = [
    "DifyTable",
    "Document",
    "MetricsTable",
    "PolicyTable",
    "PrometheusTable",
    "WebhookTable",
]


class Document(Table):
    """The whole file."""

    slack: SlackTable = SlackTable()
    dify: dict[fields.Name, DifyTable] = Field(default_factory=dict)
    app: dict[fields.Name, AppTable] = Field(default_factory=dict)
    policy: dict[fields.Name, PolicyTable] = Field(default_factory=dict)
    alerts: AlertsTable = AlertsTable()
    people: PeopleTable = PeopleTable()
    audit: AuditTable = AuditTable()
    retention: RetentionTable = RetentionTable()
    jobs: JobsTable = JobsTable()
    events: dict[fields.SinkName, EventsTable] = Field(default_factory=dict)
    prometheus: PrometheusTable | None = None
    alertmanager: AlertmanagerTable | None = None
    webhook: dict[str, WebhookTable] = Field(default_factory=dict)
