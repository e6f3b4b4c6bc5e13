"""A stored document as the DSL text that Dify imports, without the value of any secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bot.adapters.dify import era
from bot.adapters.dify.documents import VARIABLES
from store.document import WORKFLOW_MODES, Document
from store.records import Json

VERSION = "0.6.0"  # of Dify 1.13 and 1.14
# A version does not hold its app's icon; an import without one would leave none at all.
_ICON = {"icon": "🤖", "icon_type": "emoji", "icon_background": "#FFEAD5"}
_SCOPES = {"environment_variables": "env", "conversation_variables": "conversation"}


def to_dsl(document: Document, *, name: str = "", version: str = VERSION) -> str:
    """Return *document* as an export of Dify, keys sorted.

    Args:
        document: Of any mode; other sections than Dify's own are left out.
        name: Of the app. Without one an import over an app leaves its name as it is, and its
            secrets too: `[__HIDDEN__]` keeps what the draft has under the variable's id. With
            one it is for a new app, whose secrets are empty.
        version: Of the DSL. A Dify that knows only older ones asks before it imports.
    """
    app = {**_ICON, **_kept_app(document), "mode": document.mode}
    if name:
        app["name"] = name
    top: dict[str, Json] = {
        "kind": "app",
        "version": version,
        "app": app,
        "dependencies": document.content.get("dependencies", []),
    }
    if document.mode in WORKFLOW_MODES or "graph" in document.content:
        top["workflow"] = _workflow(document.content, secret="" if name else era.HIDDEN)
    else:
        top["model_config"] = document.content.get("model_config", {})
    text: str = yaml.dump(top, Dumper=_Dumper, allow_unicode=True, width=120)
    return text


def _kept_app(document: Document) -> dict[str, Json]:
    app = document.content.get("app")
    return {k: v for k, v in app.items() if k != "name"} if isinstance(app, dict) else {}


def _workflow(content: Mapping[str, Json], *, secret: str) -> dict[str, Json]:
    found: dict[str, Json] = {
        "graph": content.get("graph", {}),
        "features": content.get("features", {}),
    }
    for section in VARIABLES:
        variables = content.get(section)
        scope = _SCOPES.get(section, "")
        listed = variables if isinstance(variables, list) else []
        found[section] = [_variable(variable, scope, secret) for variable in listed]
    return found


def _variable(variable: Json, scope: str, secret: str) -> Json:
    """A variable as exports have it: with a selector, and something where its value would be."""
    if not isinstance(variable, dict) or not scope:
        return variable
    whole = {"selector": [scope, variable.get("name", "")], "description": "", **variable}
    if whole.get("value_type") == "secret":
        whole["value"] = secret
    return whole


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and no aliases; the C one would escape emoji."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
