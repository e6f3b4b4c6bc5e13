"""Read the environment and keyturn.toml; the only place that does.

Nothing is used before everything was checked: `load` returns settings that hold together, or
raises one error that lists every mistake.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr, ValidationError

from bot.config import (
    alerting,
    announcing,
    crosschecks,
    measuring,
    tables,
    templates,
    tracing,
    webhooks,
)
from bot.config.environment import Environment
from bot.config.mistakes import Mistakes
from bot.config.raw import tables as tables_of
from bot.config.settings import (
    AlertSettings,
    AppSettings,
    DifySettings,
    Place,
    Settings,
    SlackMode,
    SlackSettings,
)
from bot.config.variables import named_secret, notice_unknown, with_secret_files
from bot.domain.calling import Manner
from bot.domain.including import Include
from bot.domain.naming import LabelMap, Match, sole_environments
from bot.domain.policy import Policy
from bot.domain.verdict.belief import Thresholds
from bot.domain.windows import windows
from store.records import AppEnv, Keeping

_MAX_FILE_BYTES = 4 * 1024 * 1024
_SIGNING_SECRET = "SLACK_SIGNING_SECRET"  # noqa: S105  # the name of the variable
_HEADER = re.compile(r"[!-~]+")
_NO_HEADER = "must be of visible ASCII characters, since it is a header"
_SLACK = ("SLACK_BOT_TOKEN", _SIGNING_SECRET, "SLACK_APP_TOKEN")


def from_process(*, serving: bool = False) -> Settings:
    """The settings of this process's environment and of the file that it names."""
    return load(os.environ, serving=serving)


def load(
    environ: Mapping[str, str], path: Path | None = None, *, serving: bool = False
) -> Settings:
    """Read and check everything.

    Args:
        environ: The environment variables.
        path: The configuration file; default: what KEYTURN_CONFIG says, else `keyturn.toml`. The
            default file may be absent, a named one not.
        serving: Demand what the service needs, and not only the database's address.

    Raises:
        ConfigurationWrong: With every mistake, each as `key.path: what is wrong and the mend`.
    """
    mistakes = Mistakes()
    variables = with_secret_files(environ, mistakes)
    environment = _environment(variables, mistakes)
    file = path or Path(variables.get("KEYTURN_CONFIG", "keyturn.toml"))
    raw = _file(file, mistakes, named=path is not None or "KEYTURN_CONFIG" in variables)
    document = _document(raw, mistakes)
    secrets = _secrets_of_dify(raw, file.parent, variables, mistakes)
    measuring_secrets = _secrets_of(measuring.PROMETHEUS, raw, file.parent, variables, mistakes)
    alerting_secrets = _secrets_of(alerting.ALERTMANAGER, raw, file.parent, variables, mistakes)
    webhook_tokens = webhooks.tokens(raw, file.parent, variables, mistakes)
    event_secrets = announcing.secrets(raw, file.parent, variables, mistakes)
    notice_unknown(variables, crosschecks.named_variables(raw), mistakes)
    crosschecks.check(raw, mistakes)
    own = templates.read(_folder_of_templates(document, file), mistakes)
    traces = tracing.address(variables, mistakes)
    if serving:
        _serving(raw, variables, mistakes)
    mistakes.raise_if_any()
    assert environment is not None and document is not None  # noqa: S101, PT018 - else mistakes
    settings = _settings(environment, document, secrets, _mode(raw, variables))
    prometheus = measuring.prometheus(document, measuring_secrets)
    slack = replace(settings.slack, templates=own)
    return replace(
        settings,
        prometheus=prometheus,
        alertmanager=alerting.alertmanager(document, alerting_secrets),
        webhooks=webhooks.senders(document, webhook_tokens),
        events=announcing.sinks(document, file.parent, event_secrets),
        slack=slack,
        traces=traces,
        notices=mistakes.notices,
    )


def _folder_of_templates(document: tables.Document | None, file: Path) -> Path | None:
    named = document.slack.templates if document is not None else None
    return file.parent / named if named else None


def database_url(environ: Mapping[str, str] | None = None) -> SecretStr:
    """The database's address alone, for work that needs nothing else.

    Raises:
        ConfigurationWrong: It is no address of a database that we know.
    """
    given = os.environ if environ is None else environ
    names = ("DATABASE_URL", "DATABASE_URL_FILE")
    mistakes = Mistakes()
    variables = with_secret_files({n: given[n] for n in names if n in given}, mistakes)
    environment = _environment(variables, mistakes)
    mistakes.raise_if_any()
    assert environment is not None  # noqa: S101 - else there are mistakes
    return environment.database_url


def _environment(variables: Mapping[str, str], mistakes: Mistakes) -> Environment | None:
    try:
        return Environment(variables)
    except ValidationError as error:
        mistakes.add_all(error, Environment)
        return None


def _file(path: Path, mistakes: Mistakes, *, named: bool) -> Mapping[str, object]:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            mistakes.add(path.name, "is too large to be a configuration")
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            mistakes.add(path.name, "there is no such file; set KEYTURN_CONFIG to the right one")
        else:
            mistakes.notice(
                ("KEYTURN_CONFIG",), f"no {path.name} in {Path.cwd()}, so no app is watched"
            )
    except OSError as error:
        mistakes.add(path.name, f"cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        mistakes.add(path.name, "is not UTF-8 text")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        mistakes.add(path.name, f"is not TOML: {error}")
    except ValueError:  # a number of thousands of digits, or a name that no file has
        mistakes.add(path.name, "cannot be read: a number or its name is too long")
    return {}


def _document(raw: Mapping[str, object], mistakes: Mistakes) -> tables.Document | None:
    try:
        return tables.Document.model_validate(raw)
    except ValidationError as error:
        mistakes.add_all(error, tables.Document)
        return None


def _secrets_of_dify(
    raw: Mapping[str, object], folder: Path, variables: Mapping[str, str], mistakes: Mistakes
) -> dict[str, SecretStr]:
    """The password or admin key of each workspace, from the variable or file that is named."""
    found = {}
    for name, table in tables_of(raw, "dify").items():
        for kind in ("password", "admin_key"):
            path = ("dify", name, kind)
            secret = named_secret(table, path, folder, variables, mistakes)
            if secret and kind == "admin_key" and not _HEADER.fullmatch(secret):
                mistakes.add(path, _NO_HEADER)
            elif secret:
                found[name] = SecretStr(secret)
    return found


def _secrets_of(
    name: str,
    raw: Mapping[str, object],
    folder: Path,
    variables: Mapping[str, str],
    mistakes: Mistakes,
) -> dict[str, SecretStr]:
    """The token or the password that the table *name* names, by its kind."""
    found = {}
    for kind in ("token", "password"):
        path = (name, kind)
        table = raw.get(name)
        secret = named_secret(table, path, folder, variables, mistakes)
        if secret and kind == "token" and not _HEADER.fullmatch(secret):
            mistakes.add(path, _NO_HEADER)
        elif secret:
            found[kind] = SecretStr(secret)
    return found


def _serving(raw: Mapping[str, object], variables: Mapping[str, str], mistakes: Mistakes) -> None:
    if not variables.get("KEYTURN_SECRET_KEY"):
        mistakes.add(
            ("KEYTURN_SECRET_KEY",),
            "is missing; buttons are signed with it. Make one with "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' and keep it",
        )
    if crosschecks.watches(raw) or any(variables.get(name) for name in _SLACK):
        came_in = "SLACK_APP_TOKEN" if _mode(raw, variables) == "socket" else _SIGNING_SECRET
        for name in (name for name in ("SLACK_BOT_TOKEN", came_in) if not variables.get(name)):
            mistakes.add((name,), "is missing; the Slack app's settings page shows it")


def _mode(raw: Mapping[str, object], variables: Mapping[str, str]) -> SlackMode:
    """How Slack comes in: as the file says, else the one way for which there is a secret."""
    said = tables_of(raw, "slack").get("mode")
    if said in ("http", "socket"):
        return "socket" if said == "socket" else "http"
    only_socket = variables.get("SLACK_APP_TOKEN") and not variables.get(_SIGNING_SECRET)
    return "socket" if only_socket else "http"


def _dify(table: tables.DifyTable, secret: SecretStr) -> DifySettings:
    if table.email is None:
        return DifySettings(
            table.url,
            allow_http=table.allow_http,
            admin_key=secret,
            workspace=table.workspace or "",
        )
    return DifySettings(table.url, table.email, secret, table.allow_http)


def _settings(
    environment: Environment,
    document: tables.Document,
    secrets: Mapping[str, SecretStr],
    mode: SlackMode,
) -> Settings:
    return Settings(
        database_url=environment.database_url,
        port=environment.port,
        public_url=environment.public_url,
        secret_keys=environment.secret_key,
        webhook_tokens=environment.webhook_token,
        metrics_tokens=environment.metrics_token,
        admin_port=environment.admin_port,
        slack=SlackSettings(
            bot_token=environment.slack_bot_token,
            signing_secrets=environment.slack_signing_secret,
            app_token=environment.slack_app_token,
            mode=mode,
            api_url=environment.slack_api_url,
            channel=document.slack.channel or "",
            sre_channel=document.slack.sre_channel or "",
            team=document.slack.team or "",
            language=document.slack.language,
            calling=Manner(
                on=document.slack.direct,
                every=document.slack.direct_every,
                quiet=windows(document.slack.quiet, ZoneInfo("UTC")),
            ),
        ),
        dify={
            name: replace(_dify(table, secrets[name]), include=_include(table, document))
            for name, table in document.dify.items()
        },
        apps={
            name: AppSettings(
                table.criticality,
                tuple(table.depends_on),
                table.match,
                table.drill,
                tuple(table.core),
            )
            for name, table in document.app.items()
        },
        places=_places(document),
        policies={env: _policy(table) for env, table in document.policy.items()},
        alerts=_alerts(document),
        anchor_url=document.audit.anchor_url or "",
        keeping=Keeping(
            inbox=document.retention.inbox,
            outbox=document.retention.outbox,
            alerts=document.retention.alerts,
            drafts=document.retention.drafts,
            events=document.retention.events,
        ),
        job_managers=tuple(document.jobs.managers),
        people=document.people.aliases,
        authors=document.people.authors,
        execution_lease=environment.execution_lease,
        failpoint=environment.failpoint,
    )


def _places(document: tables.Document) -> dict[AppEnv, Place]:
    return {
        (where := AppEnv(app, env)): Place(
            where,
            place.target,
            place.id,
            place.channel or document.slack.channel or "",
            table.rolls_back_config,
        )
        for app, table in document.app.items()
        for env, place in table.environments.items()
    }


def _include(table: tables.DifyTable, document: tables.Document) -> Include | None:
    if not table.include or table.environment is None:
        return None
    return Include(
        env=table.environment,
        tags=frozenset(rule.partition(":")[2] for rule in table.include if rule != "all"),
        everything="all" in table.include,
        channel=table.channel or document.slack.channel or "",
    )


def _policy(table: tables.PolicyTable) -> Policy:
    return Policy(
        votes=table.votes,
        votes_by_criticality={str(how): n for how, n in table.votes_by_criticality.items()},
        votes_by_risk={str(risk): n for risk, n in table.votes_by_risk.items()},
        reviewers=tuple(table.reviewers),
        each_of=tuple(table.each_of),
        backups=tuple(table.backups),
        vetoes=table.vetoes,
        exclude_publisher=table.exclude_publisher,
        withdraw_recovered=table.withdraw_recovered,
        requesters=tuple(table.requesters),
        viewers=tuple(table.viewers),
        open_for=table.open_for,
        remind_after=table.remind_after,
        escalate_after=table.escalate_after,
        most_suggested=table.most_suggested,
        cool_down=table.cool_down,
        freeze=windows(table.freeze, ZoneInfo(table.timezone)),
        quiet=windows(table.quiet, ZoneInfo(table.timezone)),
        protected_tags=tuple(table.protected_tags),
        break_glass=tuple(table.break_glass),
        named=True,
    )


def _alerts(document: tables.Document) -> AlertSettings:
    labels = document.alerts.labels
    places = [(app, env) for app, table in document.app.items() for env in table.environments]
    return AlertSettings(
        labels=LabelMap(
            app=labels.app,
            env=labels.env,
            match=tuple(_matches(document)),
            sole=sole_environments(places),
        ),
        usual_for=document.alerts.for_,
        lookback=document.alerts.lookback,
        bake=document.alerts.bake,
        thresholds=Thresholds(document.alerts.sure, document.alerts.sure_by_time),
    )


def _matches(document: tables.Document) -> Iterator[Match]:
    for app, table in document.app.items():
        if table.match:
            yield Match(table.match, app)
        for env, place in table.environments.items():
            if place.match:
                yield Match(place.match, app, env)
