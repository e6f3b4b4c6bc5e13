"""The settings as values; everything below the composition root takes what it needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from bot.adapters.prometheus.questions import LOOKBACK, STEP, TIMEOUT, Questions
from bot.adapters.webhooks.form import Form
from bot.domain.calling import Manner
from bot.domain.core import DEFAULT as CORE
from bot.domain.including import Include
from bot.domain.naming import LabelMap
from bot.domain.policy import Policy
from bot.domain.recovery import BAKE, QUIET
from bot.domain.verdict.belief import THRESHOLDS, Thresholds
from bot.language import ENGLISH
from store.records import AppEnv, Keeping

DEFAULT_PORT = 3000
DEFAULT_DATABASE_URL = "sqlite:///keyturn.db"
DEFAULT_EXECUTION_LEASE = timedelta(seconds=30)
SLACK_API_URL = "https://slack.com/api/"
SlackMode = Literal["http", "socket"]


@dataclass(frozen=True)
class SlackSettings:
    """How to reach Slack, and how Slack reaches us. Without a token cards wait in the outbox."""

    bot_token: SecretStr | None = None
    signing_secrets: tuple[SecretStr, ...] = ()
    app_token: SecretStr | None = None
    mode: SlackMode = "http"
    api_url: str = SLACK_API_URL
    channel: str = ""
    sre_channel: str = ""
    team: str = ""
    calling: Manner = field(default_factory=Manner)
    templates: Mapping[str, str] = field(default_factory=dict)  # by the names of ours
    language: str = ENGLISH


@dataclass(frozen=True)
class DifySettings:
    """One Dify workspace, and the account, or else the admin key, that Keyturn uses there."""

    url: str
    email: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    allow_http: bool = False
    admin_key: SecretStr | None = None
    workspace: str = ""  # with the admin key: the tenant's id
    include: Include | None = None


@dataclass(frozen=True)
class Place:
    """Where an app@env lives: `target` is `dify.NAME`, `id` the app's id there.

    `rolls_back_config` allows writes into an app without a workflow, which are live at once.
    """

    where: AppEnv
    target: str
    id: str
    channel: str
    rolls_back_config: bool = False


@dataclass(frozen=True)
class AppSettings:
    """What is known of an app whatever its environment."""

    criticality: str = "medium"
    depends_on: tuple[str, ...] = ()
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drill: bool = False  # it serves nobody
    core: tuple[str, ...] = CORE


@dataclass(frozen=True)
class AlertSettings:
    """How alerts are read: `usual_for` is how long rules wait before they fire.

    After a rollback is watched for `bake` whether it helped; where no metric shows the trouble, an
    alert that stays resolved for `quiet` says so.
    """

    labels: LabelMap = field(default_factory=LabelMap)
    usual_for: timedelta = timedelta(minutes=5)
    lookback: timedelta = timedelta(hours=12)
    thresholds: Thresholds = THRESHOLDS
    bake: timedelta = BAKE
    quiet: timedelta = QUIET


@dataclass(frozen=True)
class PrometheusSettings:
    """Where measurements are asked for, what, and with which token, or else user and password."""

    url: str
    questions: Questions = field(default_factory=Questions)
    token: SecretStr | None = None
    user: str = ""
    password: SecretStr | None = None
    step: timedelta = STEP
    lookback: timedelta = LOOKBACK
    timeout: timedelta = TIMEOUT


@dataclass(frozen=True)
class EventSink:
    """A sink of events, whatever its kind; what a kind does not have is empty."""

    kind: Literal["webhook", "file", "kafka"]
    types: tuple[str, ...] = ()
    envs: tuple[str, ...] = ()
    from_start: bool = False
    give_up_after: timedelta = timedelta(days=3)
    timeout: timedelta = timedelta(seconds=10)
    url: str = ""
    path: Path = field(default_factory=Path)
    most_bytes: int = 64 * 1024 * 1024
    keep: int = 0
    brokers: tuple[str, ...] = ()
    topic: str = ""
    tls: bool = False
    ca_file: str = ""
    mechanism: str = ""
    user: str = ""
    secret: SecretStr | None = None  # that it is signed with, or the password


@dataclass(frozen=True)
class AlertmanagerSettings:
    """The Alertmanagers that are told, and of what; `silence` names environments."""

    urls: tuple[str, ...] = ()
    token: SecretStr | None = None
    announce: bool = True
    silence: frozenset[str] = frozenset()


@dataclass(frozen=True)
class WebhookSettings:
    """How the bodies of a sender are read, and the tokens that open its door."""

    form: Form
    tokens: tuple[SecretStr, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. The defaults are a service that knows no app yet."""

    database_url: SecretStr = field(default_factory=lambda: SecretStr(DEFAULT_DATABASE_URL))
    port: int = DEFAULT_PORT
    public_url: str = ""
    secret_keys: tuple[SecretStr, ...] = ()
    webhook_tokens: tuple[SecretStr, ...] = ()
    metrics_tokens: tuple[SecretStr, ...] = ()
    admin_port: int | None = None
    slack: SlackSettings = field(default_factory=SlackSettings)
    dify: Mapping[str, DifySettings] = field(default_factory=dict)
    apps: Mapping[str, AppSettings] = field(default_factory=dict)
    places: Mapping[AppEnv, Place] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    prometheus: PrometheusSettings | None = None
    events: Mapping[str, EventSink] = field(default_factory=dict)
    anchor_url: str = ""
    alertmanager: AlertmanagerSettings = field(default_factory=AlertmanagerSettings)
    webhooks: Mapping[str, WebhookSettings] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)  # e-mail in Dify → Slack account
    keeping: Keeping = field(default_factory=Keeping)
    job_managers: tuple[str, ...] = ()  # who may run and pause jobs; empty: nobody
    execution_lease: timedelta = DEFAULT_EXECUTION_LEASE
    # where traces are sent, by OpenTelemetry's own variables; "" for nowhere
    traces: str = field(default="", repr=False)
    failpoint: str = ""
    notices: tuple[str, ...] = field(default=(), compare=False)  # no mistakes, but to be known

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.get_secret_value().startswith("sqlite")

    def policy(self, env: str) -> Policy:
        """The policy of *env*; the unnamed one, under which nobody is eligible, without a table."""
        return self.policies.get(env, Policy())

    def person(self, slack_id: str) -> str:
        """The person behind a Slack account; the account's id itself when no alias is set."""
        return self.people.get(slack_id, slack_id)
