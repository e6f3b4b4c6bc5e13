"""Settings from environment variables. The descriptions are the reference of the README."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bot.config import fields
from bot.config.fields import wrong
from bot.config.settings import (
    DEFAULT_DATABASE_URL,
    DEFAULT_EXECUTION_LEASE,
    DEFAULT_PORT,
    SLACK_API_URL,
)
from store.address import translate_url

DEFAULT_CONFIG = "keyturn.toml"
MIN_KEY_CHARACTERS = 16
_SHORTEST_LEASE = timedelta(seconds=1)


def _several(value: object) -> object:
    """Split at commas and blanks: the first is the one in use, the others are being rotated out."""
    return (
        [part for part in re.split(r"[\s,]+", value) if part] if isinstance(value, str) else value
    )


def _tokens(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(not re.fullmatch(r"[!-~]+", value.get_secret_value()) for value in values):
        raise wrong("must be of visible ASCII characters, since it travels in a header")
    return values


def _keys(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(value.get_secret_value()) < MIN_KEY_CHARACTERS for value in values):
        raise wrong(
            f"each key needs at least {MIN_KEY_CHARACTERS} characters; make one with "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return values


def _database(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if "://" not in url:
        raise wrong("must begin with sqlite:/// or postgresql://")
    try:
        translate_url(url)
    except ValueError as error:
        raise wrong(str(error)) from None
    return value


def _bot_token(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    if not value.get_secret_value().startswith(("xoxb-", "xoxe.xoxb-")):
        raise wrong("must begin with xoxb-; it is the bot token of OAuth & Permissions")
    return _tokens((value,))[0]


def _app_token(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    if not value.get_secret_value().startswith("xapp-"):
        raise wrong("must begin with xapp-; it is the app-level token, with connections:write")
    return _tokens((value,))[0]


def _lease(value: timedelta) -> timedelta:
    if value < _SHORTEST_LEASE:
        raise wrong('must be at least "1s", since it has to be renewed in time')
    return value


def _slack_api(value: str) -> str:
    if not fields.secure(fields.url(value)):
        raise wrong("must begin with https://, since the token travels there")
    return value.rstrip("/") + "/"


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_several)]


class Environment(BaseSettings):
    """The variables; a secret may also stand in the file that `NAME_FILE` names."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[SecretStr, AfterValidator(_database)] = Field(
        default=SecretStr(DEFAULT_DATABASE_URL),
        validation_alias="DATABASE_URL",
        description="SQLite or PostgreSQL in any usual spelling: `postgres://`, `?sslmode=`, …",
    )
    config: str = Field(
        default=DEFAULT_CONFIG,
        validation_alias="KEYTURN_CONFIG",
        description="The configuration file",
    )
    port: int = Field(
        default=DEFAULT_PORT,
        ge=0,
        le=65535,
        validation_alias="PORT",
        description="Port of `keyturn serve`",
    )
    public_url: Annotated[str, BeforeValidator(lambda url: fields.url(url) if url else "")] = Field(
        default="",
        validation_alias="KEYTURN_PUBLIC_URL",
        description="Where people reach the service; without it cards carry no links",
    )
    secret_key: Annotated[Secrets, AfterValidator(_keys)] = Field(
        default=(),
        validation_alias="KEYTURN_SECRET_KEY",
        description="Signs buttons and links, seals the secrets of editors' drafts while a "
        "rollback runs; `serve` needs it; several for rotation",
    )
    webhook_token: Annotated[Secrets, AfterValidator(_tokens)] = Field(
        default=(),
        validation_alias="KEYTURN_WEBHOOK_TOKEN",
        description="Alertmanager's bearer token; several for rotation; without it 401",
    )
    metrics_token: Annotated[Secrets, AfterValidator(_tokens)] = Field(
        default=(),
        validation_alias="KEYTURN_METRICS_TOKEN",
        description="Bearer token for `/metrics`; several for rotation; without it 401",
    )
    admin_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        validation_alias="KEYTURN_ADMIN_PORT",
        description="A port of its own for `/metrics`, without a token; keep it inside",
    )
    slack_bot_token: Annotated[SecretStr | None, AfterValidator(_bot_token)] = Field(
        default=None, validation_alias="SLACK_BOT_TOKEN", description="Bot token, `xoxb-…`"
    )
    slack_signing_secret: Annotated[Secrets, AfterValidator(_tokens)] = Field(
        default=(),
        validation_alias="SLACK_SIGNING_SECRET",
        description="Signing secret of the Slack app; several for rotation",
    )
    slack_app_token: Annotated[SecretStr | None, AfterValidator(_app_token)] = Field(
        default=None,
        validation_alias="SLACK_APP_TOKEN",
        description="App-level token, `xapp-…`, for Socket Mode",
    )
    slack_api_url: Annotated[str, AfterValidator(_slack_api)] = Field(
        default=SLACK_API_URL,
        validation_alias="SLACK_API_URL",
        description="Another Slack base address",
    )
    execution_lease: Annotated[fields.Duration, AfterValidator(_lease)] = Field(
        default=DEFAULT_EXECUTION_LEASE,
        validate_default=False,  # it is no text to be read
        validation_alias="KEYTURN_EXECUTION_LEASE",
        description="How long a dead executor's work waits for another (a message: 3 times that)",
    )
    failpoint: str = Field(
        default="",
        validation_alias="KEYTURN_FAILPOINT",
        description="For tests: `NAME=ACTION` at a named point",
        exclude=True,
    )

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables=variables)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the variables that were handed in, and nothing of the process."""
        return (_Given(settings_cls, init_settings()["variables"]),)


class _Given(EnvSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(settings_cls, case_sensitive=True)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables
