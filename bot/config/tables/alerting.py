"""What alerts say, who sends them, and where is measured."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from bot.adapters.prometheus import questions, templates
from bot.config import fields
from bot.config.tables.base import Table
from bot.domain.recovery import BAKE
from bot.domain.verdict.belief import THRESHOLDS


class LabelsTable(Table):
    """`[alerts.labels]`."""

    app: fields.LabelName = Field(default="app", description="Alert label that names the app")
    env: fields.LabelName = Field(
        default="env", description="Alert label that names the environment"
    )


class AlertsTable(Table):
    """`[alerts]`."""

    labels: LabelsTable = LabelsTable()
    for_: fields.Duration = Field(
        default=timedelta(minutes=5),
        alias="for",
        description="How long rules usually wait before they fire",
    )
    lookback: fields.PositiveDuration = Field(
        default=timedelta(hours=12),
        description="How old a change may be to be a suspect; what takes effect at once is "
        "suspected for some minutes only, what grows slowly for all of it",
    )
    bake: fields.Bake = Field(
        default=BAKE,
        description="How long is watched after a rollback whether it helped, `5m` to `24h`",
    )
    sure: float = Field(
        default=THRESHOLDS.sure,
        ge=0.5,
        le=0.99,
        description="How sure Keyturn must be, 0 to 1, to suggest a rollback",
    )
    sure_by_time: float = Field(
        default=THRESHOLDS.sure_by_time,
        ge=0.5,
        le=0.99,
        description="The same where no metric shows when the trouble began",
    )


class PrometheusTable(Table):
    """`[prometheus]`."""

    url: fields.Url = Field(description="Address of Prometheus, without `/api/v1`")
    errors: fields.QueryOfEachApp = Field(
        default=templates.ERRORS,
        description="Query for the share of requests that fail, 0 to 1. `$app` and `$env` stand "
        "for the app and its environment, in the quotes of a label's value. It brings one series; "
        "replace it where your metrics have other names",
    )
    latency: fields.QueryOfEachApp = Field(
        default=templates.LATENCY, description="Query for the latency in seconds, likewise"
    )
    load: fields.QueryOfEachApp = Field(
        default=templates.LOAD, description="Query for the requests a second, likewise"
    )
    other: dict[fields.Name, fields.QueryOfEachApp] = Field(
        default_factory=dict,
        description='More queries, of which more is worse: `{ queue = "…" }`',
    )
    token_env: str | None = Field(
        default=None, min_length=1, description="Environment variable that holds a bearer token"
    )
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds it, beside `keyturn.toml` when relative",
    )
    user: fields.User | None = Field(
        default=None, description="Instead of a token: the user, for basic authentication"
    )
    password_env: str | None = Field(
        default=None, min_length=1, description="Environment variable that holds the password"
    )
    password_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds the password, beside `keyturn.toml` when relative",
    )
    allow_http: bool = Field(
        default=False,
        description="Send the token or password over plain `http://` to another machine",
    )
    step: fields.Step = Field(
        default=questions.STEP, description="Time between two samples, `15s` to `5m`"
    )
    lookback: fields.Lookback = Field(
        default=questions.LOOKBACK, description="How far back is looked, `1h` to `24h`"
    )
    timeout: fields.Patience = Field(
        default=questions.TIMEOUT,
        description="How long one query is waited for, `1s` to `30s`; all of one look-back "
        "together twice as long",
    )


class AlertmanagerTable(Table):
    """`[alertmanager]`."""

    url: fields.Urls = Field(
        description="Address of Alertmanager, without `/api/v2`; of several that stand in for "
        "each other a list"
    )
    announce: bool = Field(
        default=True,
        description="Raise the alert `ConfigRolledBack` there when a rollback was verified live, "
        "for as long as `alerts.bake`",
    )
    silence: list[fields.Name] = Field(
        default_factory=list,
        description="Environments in which the alerts that brought a rollback about are silenced "
        "while is watched whether it helped. Default: none",
    )
    token_env: str | None = Field(
        default=None, min_length=1, description="Environment variable that holds a bearer token"
    )
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds it, beside `keyturn.toml` when relative",
    )
    allow_http: bool = Field(
        default=False, description="Send the token over plain `http://` to another machine"
    )


class WebhookTable(Table):
    """`[webhook.NAME]`: what stands where in what a sender posts to `/webhooks/NAME`."""

    token_env: str | None = Field(
        default=None,
        min_length=1,
        description="Environment variable that holds the bearer token of this sender; several "
        "for rotation",
    )
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds it, beside `keyturn.toml` when relative",
    )
    alerts: fields.JsonPointer | None = Field(
        default=None, description="Where the list of alerts stands. Default: the body is one alert"
    )
    status: fields.Place = Field(
        description="What says whether it fires: a JSON pointer from the alert (`/state`) or from "
        "the top of the body (`#/state`)"
    )
    firing: list[fields.Word] = Field(
        default=["firing"], min_length=1, description="Its words for an alert that fires"
    )
    resolved: list[fields.Word] = Field(
        default=["resolved"], description="Its words for one that has ended"
    )
    ignored: list[fields.Word] = Field(
        default_factory=list, description="Its words for what is left out, such as a test"
    )
    name: fields.Place = Field(
        description="The alert's name: a pointer, or a text that is always the same"
    )
    starts_at: fields.JsonPointer = Field(
        description="When it began, the same when it ends: RFC 3339, or seconds or milliseconds "
        "since 1970"
    )
    ends_at: fields.JsonPointer | None = Field(default=None, description="When it ended")
    fingerprint: list[fields.Place] = Field(
        default_factory=list,
        description="What makes two alerts the same one, such as `/id`. Default: all its labels",
    )
    labels: dict[fields.LabelName, fields.Place] = Field(
        default_factory=dict,
        description="Its labels, by the names that `alerts.labels` and `app.NAME.match` read: "
        '`{ app = "/tags/service", env = "prod" }`',
    )
    annotations: dict[fields.LabelName, fields.Place] = Field(
        default_factory=dict, description="What is told of it, such as `summary`"
    )
