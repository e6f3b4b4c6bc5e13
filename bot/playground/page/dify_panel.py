"""What stands in Dify: the live version, those before it, and what is not published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.playground.dify.apps import App
from bot.playground.dify.state import DifyState
from bot.playground.dify.workflows import Workflow
from bot.playground.page.names import Names

SHOWN = 8


@dataclass(frozen=True)
class Edition:
    """A version or the draft. `number` counts the published ones from 1; 0 for the draft."""

    number: int
    title: str
    author: str
    when: str
    live: bool


@dataclass(frozen=True)
class Part:
    """What a node that talks to a model is told."""

    title: str
    model: str
    prompt: str


@dataclass(frozen=True)
class Panel:
    """The panel; `older` is how many versions are not shown. `draft_note` says how it stands."""

    app: str
    live: Edition | None
    parts: tuple[Part, ...]
    history: tuple[Edition, ...]
    older: int
    draft: Edition | None
    draft_note: str


def panel(dify: DifyState, app_name: str, names: Names) -> Panel:
    """Return what the panel shows of the app of this name; nothing is live before a publish."""
    app = next((one for one in dify.apps if one.name == app_name), None)
    if app is None:
        return Panel(app_name, None, (), (), 0, None, "There is no such app.")
    now = dify.clock()
    numbered = [
        _edition(flow, number, live=flow.id == app.live_id, now=now, names=names)
        for number, flow in enumerate(app.published, start=1)
    ]
    newest = tuple(reversed(numbered))
    return Panel(
        app=app_name,
        live=next((edition for edition in newest if edition.live), None),
        parts=tuple(_parts(app.live)) if app.live else (),
        history=newest[:SHOWN],
        older=max(0, len(newest) - SHOWN),
        draft=_draft(app, now, names),
        draft_note=_draft_note(app),
    )


def _edition(flow: Workflow, number: int, *, live: bool, now: datetime, names: Names) -> Edition:
    title = flow.marked_name or flow.marked_comment
    return Edition(number, title, flow.created_by.name, age(flow.created_at, now), live)


def _draft(app: App, now: datetime, names: Names) -> Edition | None:
    if app.draft is None:
        return None
    who = app.draft.updated_by or app.draft.created_by
    return Edition(0, "", who.name, age(app.draft.updated_at, now), live=False)


def _draft_note(app: App) -> str:
    if app.draft is None:
        return "There is no draft yet."
    if app.live is None:
        return "Nothing was published yet."
    extra = len(_nodes(app.draft)) - len(_nodes(app.live))
    if app.draft.hash == app.live.hash:
        return "Same as live: nothing is waiting to be published."
    if extra > 0:
        return f"Unpublished work: {extra} more node{'s' if extra > 1 else ''} than live."
    return "Unpublished work: it differs from live."


def _parts(flow: Workflow) -> list[Part]:
    return [
        Part(str(data.get("title", "")), _model(data), _prompt(data))
        for node in _nodes(flow)
        if (data := node.get("data", {})).get("type") == "llm"
    ]


def _nodes(flow: Workflow) -> list[dict[str, dict[str, object]]]:
    nodes = flow.graph.get("nodes", [])
    return [node for node in nodes if isinstance(node, dict)]


def _model(data: dict[str, object]) -> str:
    model = data.get("model")
    if not isinstance(model, dict):
        return ""
    temperature = model.get("completion_params", {}).get("temperature")
    name = str(model.get("name", ""))
    return name if temperature is None else f"{name} · temperature {temperature}"


def _prompt(data: dict[str, object]) -> str:
    prompts = data.get("prompt_template")
    texts = [p.get("text", "") for p in prompts] if isinstance(prompts, list) else []
    return str(texts[0]) if texts else ""


def age(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits: `just now`, `5 min ago`, `3 days ago`."""
    seconds = max(0, int((now - at).total_seconds()))
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if count := seconds // size:
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "just now"
