"""What is watched, and where it lives."""

from __future__ import annotations

from pydantic import Field

from bot.config import fields
from bot.config.tables.base import Criticality, Table
from bot.domain.core import DEFAULT as CORE


class DifyTable(Table):
    """`[dify.NAME]`."""

    url: fields.Url = Field(description="Address of the console, `https://` unless on this machine")
    email: fields.Email | None = Field(
        default=None, description="Account of an editor in that workspace"
    )
    password_env: str | None = Field(
        default=None, min_length=1, description="Environment variable that holds the password"
    )
    password_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds the password, beside `keyturn.toml` when relative",
    )
    admin_key_env: str | None = Field(
        default=None,
        min_length=1,
        description="Instead of an account: the variable that holds the server's admin key",
    )
    admin_key_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds the admin key, beside `keyturn.toml` when relative",
    )
    workspace: fields.AppId | None = Field(
        default=None, description="The workspace's (tenant's) id; needed with the admin key"
    )
    allow_http: bool = Field(
        default=False, description="Send the password over plain `http://` to another machine"
    )
    include: list[fields.Include] = Field(
        default_factory=list,
        description='Apps watched without a table of their own: `["tag:NAME", …]` or `["all"]`',
    )
    environment: fields.Name | None = Field(
        default=None, description="The environment of the included apps; required with `include`"
    )
    channel: fields.Channel | None = Field(
        default=None, description="Channel id for their cards. Default: `slack.channel`"
    )


class MetricLabelsTable(Table):
    """`labels` of an app or of its environment: what `$app` and `$env` stand for."""

    app: str | None = Field(
        default=None, min_length=1, description="What metrics call the app. Default: its name here"
    )
    env: str | None = Field(
        default=None,
        min_length=1,
        description="What metrics call the environment. Default: its name here",
    )


class MetricsTable(Table):
    """`[app.NAME.metrics]`: queries of this app where those of `[prometheus]` do not fit."""

    errors: fields.Query | None = Field(
        default=None, description="Query for its errors. Default: `prometheus.errors`"
    )
    latency: fields.Query | None = Field(
        default=None, description="Query for its latency. Default: `prometheus.latency`"
    )
    load: fields.Query | None = Field(
        default=None, description="Query for its load. Default: `prometheus.load`"
    )
    other: dict[fields.Name, fields.Query] = Field(
        default_factory=dict,
        description="More of its own; one of the same name replaces that of `prometheus.other`",
    )


class EnvironmentTable(Table):
    """`[app.NAME.environments.ENV]`."""

    target: str = Field(description="The workspace it lives in: `dify.NAME`")
    id: fields.AppId = Field(description="The app's id there")
    channel: fields.Channel | None = Field(
        default=None, description="Channel id for its cards. Default: `slack.channel`"
    )
    match: dict[fields.LabelName, fields.LabelValues] = Field(
        default_factory=dict,
        description="Alert labels that mean the app in this environment",
    )
    labels: MetricLabelsTable = MetricLabelsTable()


class AppTable(Table):
    """`[app.NAME]`."""

    environments: dict[fields.Name, EnvironmentTable] = Field(
        min_length=1, description="Where it lives, one table per environment"
    )
    criticality: Criticality = Field(
        default="medium",
        description="`low`, `medium`, `high` or `critical`; a policy may want more votes for more",
    )
    depends_on: list[str] = Field(
        default_factory=list,
        description="Apps that this one calls, by their names here: their changes are suspects "
        "too, and a rollback may take them back with it (`together`)",
    )
    match: dict[fields.LabelName, fields.LabelValues] = Field(
        default_factory=dict,
        description="Alert labels that mean this app, where they are not its name: "
        "all of them, each with its value or one of a list",
    )
    rolls_back_config: bool = Field(
        default=False,
        description="Roll back an app without a workflow (chat, agent-chat, completion) too: "
        "its configuration is written and live at once. Default: only compared",
    )
    drill: bool = Field(
        default=False,
        description="It is a copy of a real app and serves nobody: `/rollback drill` may roll it "
        "back to practise",
    )
    core: list[fields.CoreParameter] = Field(
        default_factory=lambda: list(CORE),
        description="Core parameters: paths as a difference names them, or the ends of some; what "
        "is published and changes one is told at once. `[]`: none",
    )
    labels: MetricLabelsTable = MetricLabelsTable()
    metrics: MetricsTable = MetricsTable()
