"""What is installed in a workspace beside its apps; of the upstream source, not recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

DEPRECATED = "deprecated"  # as a model's status here: the server lists it apart, and it is active


@dataclass(frozen=True)
class Tools:
    """A provider of tools: an installed one, an API, a published workflow or an MCP server."""

    name: str
    tools: tuple[str, ...]
    type: str = "builtin"
    identifier: str = ""  # of an MCP server, by which workflows name it
    app_id: str = ""  # of the published workflow
    id: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> dict[str, Any]:
        """As in the list of all tools of its type."""
        of_mcp = {"server_identifier": self.identifier} if self.type == "mcp" else {}
        return {
            "id": self.name if self.type == "builtin" else self.id,
            "author": "",
            "name": self.name,
            "plugin_id": None,
            "plugin_unique_identifier": None,
            "description": text(""),
            "icon": "",
            "label": text(self.name),
            "type": self.type,
            "team_credentials": {},
            "is_team_authorization": True,
            "allow_delete": self.type != "builtin",
            "tools": [_tool(name) for name in self.tools],
            "labels": [],
            **of_mcp,
        }

    def as_workflow(self) -> dict[str, Any]:
        """As the tool of one workflow is told (api/services/tools)."""
        name = self.tools[0]
        about = {"label": name, "icon": {"content": "", "background": ""}, "description": ""}
        return {
            "name": name,
            **about,
            "workflow_tool_id": self.id,
            "workflow_app_id": self.app_id,
            "parameters": [],
            "tool": _tool(name),
            "synced": True,
            "privacy_policy": "",
        }


def _tool(name: str) -> dict[str, Any]:
    about = {"label": text(name), "description": text(""), "parameters": [], "labels": []}
    return {"author": "", "name": name, **about, "output_schema": {}}


def text(said: str) -> dict[str, str]:
    """*said* in every language of the console."""
    return dict.fromkeys(("en_US", "zh_Hans", "pt_BR", "ja_JP"), said)
