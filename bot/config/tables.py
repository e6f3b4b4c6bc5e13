"""The tables of keyturn.toml. The descriptions are the configuration reference of the README."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.adapters.prometheus import questions, templates
from bot.config import fields
from bot.config.settings import SlackMode
from bot.domain.core import DEFAULT as CORE
from bot.domain.recovery import BAKE
from bot.domain.verdict.belief import THRESHOLDS

Criticality = Literal["low", "medium", "high", "critical"]
Risk = Criticality  # the same words; docs/decisions/0033-impact-and-risk.md
SinkKind = Literal["webhook", "file", "kafka"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
LabelName = Annotated[str, Field(min_length=1, max_length=200)]


class Table(BaseModel):
    """A table whose keys are all known; nothing is converted, nothing of it is quoted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class SlackTable(Table):
    """`[slack]`."""

    channel: fields.Channel | None = Field(
        default=None, description="Channel id for the cards of apps that name none of their own"
    )
    sre_channel: fields.Channel | None = Field(
        default=None,
        description="Channel id for changes of core parameters (`app.NAME.core`). Default: nobody "
        "is told",
    )
    team: fields.Team | None = Field(
        default=None,
        description="Workspace id; clicks from elsewhere are refused. Default: the token's own",
    )
    mode: SlackMode | None = Field(
        default=None,
        description="How Slack comes in: `http` or `socket`. Default: `socket` when only "
        "`SLACK_APP_TOKEN` is set, else `http`",
    )
    templates: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with templates of your own in place of Keyturn's, from here; "
        "`keyturn templates` writes Keyturn's out to begin with",
    )
    language: Literal["en", "zh-Hans"] = Field(
        default="en",
        description="What all read: cards, threads and notices. What only one person reads is in "
        "the language of their Slack, where Keyturn speaks it",
    )
    direct: bool = Field(
        default=True,
        description="Tell those who may vote by a direct message too; each may turn theirs off on "
        "App Home",
    )
    direct_every: fields.PositiveDuration = Field(
        default=timedelta(minutes=10),
        description="A person gets no more than one in this time; what waits meanwhile is in it",
    )
    quiet: list[fields.TimeWindow] = Field(
        default_factory=list,
        description="When nobody gets one, on each person's own clock, in the form of "
        "`policy.ENV.quiet`; an escalation to `backups` goes through it",
    )


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
    match: dict[LabelName, fields.LabelValues] = Field(
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
    match: dict[LabelName, fields.LabelValues] = Field(
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


class PolicyTable(Table):
    """`[policy.ENV]`."""

    votes: int = Field(
        default=2,
        ge=0,
        le=20,
        description="How many different people must approve; `0`: who may ask needs nobody, and "
        "what an alert suggests needs one",
    )
    votes_by_criticality: dict[Criticality, Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict,
        description="More votes for apps that matter more: `{ critical = 3 }`; never fewer",
    )
    votes_by_risk: dict[Risk, Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict,
        description="More votes for rollbacks of so high a risk or a higher one: `{ high = 3 }`; "
        "never fewer",
    )
    reviewers: list[fields.Who] = Field(
        default_factory=list,
        description="Who may vote: ids of people (`U…`) and user groups (`S…`)",
    )
    each_of: list[fields.Who] = Field(
        default_factory=list,
        description="Of each of these one must approve, another person each: "
        '`["S0SRE", "S0OWNERS"]`; they may vote like reviewers',
    )
    backups: list[fields.Who] = Field(
        default_factory=list,
        description="May vote too, and are called when the others have not by `escalate_after`",
    )
    vetoes: int = Field(default=1, ge=1, le=20, description="How many rejects end a rollback")
    exclude_publisher: bool = Field(
        default=False,
        description="Who published what is live may not vote; `[people] authors` says who that "
        "is in Slack, and nobody may vote on what somebody else published",
    )
    withdraw_recovered: bool = Field(
        default=False,
        description="Withdraw what an alert suggested while it waits for votes, once its alerts "
        "have ended and the metrics that showed the trouble are back at their usual; without "
        "`[prometheus]` it stays",
    )
    requesters: list[fields.Who] = Field(
        default_factory=list, description="Who may ask for a rollback, beside those who may vote"
    )
    viewers: list[fields.Who] = Field(
        default_factory=list, description="Who may see, beside those who may vote or ask"
    )
    open_for: fields.PositiveDuration = Field(
        default=timedelta(minutes=30), description="How long a rollback waits for its votes"
    )
    remind_after: fields.PositiveDuration | None = Field(
        default=None,
        description="When those who may vote are reminded. Default: half of `open_for`",
    )
    escalate_after: fields.PositiveDuration | None = Field(
        default=None, description="When `backups` are called. Default: three quarters of `open_for`"
    )
    most_suggested: int = Field(
        default=2,
        ge=1,
        le=100,
        description="After so many rollbacks of an app within `cool_down` no other is suggested; "
        "people may still ask",
    )
    cool_down: fields.PositiveDuration = Field(
        default=timedelta(hours=6), description="How long a rollback counts for `most_suggested`"
    )
    freeze: list[fields.TimeWindow] = Field(
        default_factory=list,
        description="When nothing is rolled back: `fri 16:00-24:00`, `22:00-07:00`, "
        "`2026-12-20/2027-01-02` (with its last day)",
    )
    quiet: list[fields.TimeWindow] = Field(
        default_factory=list, description="When nobody is reminded or called, in the same form"
    )
    timezone: fields.TimeZone = Field(
        default="UTC", description="The clock of `freeze` and `quiet`, such as `Europe/Berlin`"
    )
    break_glass: list[fields.Who] = Field(
        default_factory=list,
        description="Who may start a rollback alone, with a written reason and a review by two "
        "others afterwards: people and user groups; they may ask and see too. Default: nobody",
    )
    protected_tags: list[fields.TagName] = Field(
        default_factory=list,
        description="Tags that only reviewers move or remove; others are free to requesters too",
    )


class LabelsTable(Table):
    """`[alerts.labels]`."""

    app: LabelName = Field(default="app", description="Alert label that names the app")
    env: LabelName = Field(default="env", description="Alert label that names the environment")


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
    labels: dict[LabelName, fields.Place] = Field(
        default_factory=dict,
        description="Its labels, by the names that `alerts.labels` and `app.NAME.match` read: "
        '`{ app = "/tags/service", env = "prod" }`',
    )
    annotations: dict[LabelName, fields.Place] = Field(
        default_factory=dict, description="What is told of it, such as `summary`"
    )


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


class PeopleTable(Table):
    """`[people]`."""

    aliases: dict[fields.Account, Annotated[str, Field(min_length=1, max_length=80)]] = Field(
        default_factory=dict,
        description='Accounts of one person, who has one vote: `{ U0ALICE1 = "alice", … }`',
    )
    authors: dict[fields.Email, fields.Account] = Field(
        default_factory=dict,
        description='Who the accounts in Dify are: `{ "alice@example.com" = "U0ALICE1" }`; '
        "for `exclude_publisher`",
    )


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
