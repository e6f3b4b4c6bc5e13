"""The names in keyturn.toml, for suggestions and completion: quick, and silent about mistakes."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from bot.config.mistakes import at

_DEFAULT = "keyturn.toml"


def configured_apps(environ: Mapping[str, str] | None = None) -> list[str]:
    """Every `APP@ENV` of the configuration file, in its order; none where it cannot be read."""
    apps = at(_raw(environ), "app")
    found = []
    for app in apps if isinstance(apps, Mapping) else ():
        environments = at(apps, app, "environments")
        if isinstance(environments, Mapping):
            found += [f"{app}@{env}" for env in environments]
    return found


def configured_workspaces(environ: Mapping[str, str] | None = None) -> list[str]:
    """The NAME of every `[dify.NAME]` of the configuration file; none where it cannot be read."""
    workspaces = at(_raw(environ), "dify")
    return list(workspaces) if isinstance(workspaces, Mapping) else []


def _raw(environ: Mapping[str, str] | None) -> Mapping[str, object]:
    file = Path((os.environ if environ is None else environ).get("KEYTURN_CONFIG") or _DEFAULT)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
