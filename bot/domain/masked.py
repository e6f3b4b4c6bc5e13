"""Values of an app without a workflow that its target does not show: they cannot be written back.

Documents hold a placeholder in the place of each. Written as it is, it would become the value;
the target's own way to keep a value goes by what is live at that moment, so it proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from store.document import Document
from store.records import Json

PLACEHOLDER = "[__HIDDEN__]"


def masked(*documents: Document) -> tuple[str, ...]:
    """Name the values of *documents* that are masked, or may be, each once: `tool: parameter`.

    Only tools of an agent have such values. What is not of a tool's form cannot be looked into,
    so it counts as masked. Empty: everything can be written as it stands.
    """
    return tuple(dict.fromkeys(name for document in documents for name in _names(document)))


def _names(document: Document) -> Iterator[str]:
    config = document.content.get("model_config")
    agent = config.get("agent_mode") if isinstance(config, dict) else None
    if agent is None:
        return
    tools = agent.get("tools") if isinstance(agent, dict) else agent
    if not isinstance(tools, list):
        if tools is not None:
            yield "agent_mode"
        return
    for number, tool in enumerate(tools, 1):
        yield from _of_tool(tool, number)


def _of_tool(tool: Json, number: int) -> Iterator[str]:
    if not isinstance(tool, dict):
        yield f"tool {number}"
        return
    called = tool.get("tool_name")
    called = called if isinstance(called, str) and called else f"tool {number}"
    for key, value in tool.items():
        if key == "tool_parameters" and isinstance(value, dict):
            yield from (f"{called}: {name}" for name, held in value.items() if _hidden(held))
        elif _hidden(value) or (key == "tool_parameters" and value is not None):
            yield f"{called}: {key}"


def _hidden(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_hidden(item) for item in value.values())
    if isinstance(value, list):
        return any(_hidden(item) for item in value)
    return bool(value == PLACEHOLDER)
