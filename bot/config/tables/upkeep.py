"""The audit trail, how long is kept what, and who may pause jobs."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from bot.config import fields
from bot.config.tables.base import Table


class AuditTable(Table):
    """`[audit]`."""

    anchor_url: fields.Url | None = Field(
        default=None,
        description="Where each head of the audit chain that stands for a decision is posted, "
        "signed; `keyturn audit key` prints what the receiver checks it with",
    )


class RetentionTable(Table):
    """`[retention]`: how long is kept what is done with."""

    inbox: fields.DayOrMore = Field(
        default=timedelta(days=30), description="Clicks and commands after they were judged"
    )
    outbox: fields.DayOrMore = Field(
        default=timedelta(days=90), description="Messages after they were sent"
    )
    alerts: fields.DayOrMore = Field(
        default=timedelta(days=90),
        description="Webhooks, and alerts that belong to no case, after they last came",
    )
    drafts: fields.DayOrMore = Field(
        default=timedelta(days=90),
        description="Editors' drafts that no rollback keeps, after they were last seen",
    )
    events: fields.DayOrMore = Field(
        default=timedelta(days=90),
        description="Events for other systems, after they were written and sent",
    )


class JobsTable(Table):
    """`[jobs]`."""

    managers: list[fields.Who] = Field(
        default_factory=list,
        description="Who may run jobs at once and pause those that may be paused, on App Home: "
        "people and user groups. Default: nobody",
    )
