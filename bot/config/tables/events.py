"""Where events are sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from bot.config import fields
from bot.config.tables.base import Table

SinkKind = Literal["webhook", "file", "kafka"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class EventsTable(Table):
    """`[events.NAME]`: a sink; which keys it has is a matter of its kind."""

    kind: SinkKind = Field(description="`webhook`, `file` or `kafka`")
    types: list[fields.EventType] = Field(
        default_factory=list,
        description='Which events it gets: `["rollback.*", "drift.noticed"]`. Default: all '
        "([the types](docs/events.md))",
    )
    envs: list[fields.Name] = Field(
        default_factory=list, description="Of which environments. Default: all"
    )
    from_: Literal["now", "start"] = Field(
        default="now",
        alias="from",
        description="Where a new sink begins: `now`, or `start` for all that is kept",
    )
    give_up_after: fields.HourOrMore = Field(
        default=timedelta(days=3),
        description="How long it may take nothing of an app; then what is as old is left out",
    )
    timeout: fields.Patience = Field(
        default=timedelta(seconds=10), description="How long one event is waited for, `1s` to `30s`"
    )
    url: fields.Url | None = Field(default=None, description="Webhook: where events are posted")
    allow_http: bool = Field(
        default=False, description="Webhook: post over plain `http://` to another machine"
    )
    secret_env: str | None = Field(
        default=None,
        min_length=1,
        description="Webhook: environment variable that holds the secret it is signed with, "
        "`whsec_…` or any text",
    )
    secret_file: str | None = Field(
        default=None,
        min_length=1,
        description="Webhook: file that holds it, beside `keyturn.toml` when relative",
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="File: where events are kept as JSON lines, beside `keyturn.toml` if relative",
    )
    rotate_at_mb: int = Field(
        default=64, ge=1, le=10_000, description="File: its size, in MiB, at which another begins"
    )
    keep: int = Field(
        default=0, ge=0, le=1000, description="File: how many older ones stay; `0` keeps all"
    )
    brokers: list[fields.Broker] = Field(
        default_factory=list, description="Kafka: where to begin, `HOST:PORT`"
    )
    topic: fields.Topic | None = Field(
        default=None,
        description="Kafka: the topic; an app's events share a key, and so their order",
    )
    tls: bool = Field(default=False, description="Kafka: TLS to the brokers")
    ca_file: str | None = Field(
        default=None,
        min_length=1,
        description="Kafka: certificates to trust, in a PEM file. Default: the system's",
    )
    mechanism: SaslMechanism | None = Field(
        default=None,
        description="Kafka: how to log in, `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. "
        "Default: not at all",
    )
    user: fields.User | None = Field(default=None, description="Kafka: the user to log in with")
    password_env: str | None = Field(
        default=None, min_length=1, description="Kafka: environment variable with the password"
    )
    password_file: str | None = Field(
        default=None,
        min_length=1,
        description="Kafka: file that holds it, beside `keyturn.toml` when relative",
    )
