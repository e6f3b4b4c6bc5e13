"""Targets with an editor beside each: in memory, the local Dify, and a real server."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import aiohttp
import pytest
import yaml

from bot.adapters.dify.documents import document
from bot.domain.references import Kind, Needed
from bot.playground.dify.installed import Tools
from bot.playground.dify.state import DifyState
from bot.ports.target import Target
from store.document import Document
from tests.fakes.target import FakeTarget

Content = Mapping[str, Any]


class Editor(Protocol):
    """Somebody who works in the console while we look on. Secrets are given with their values."""

    async def save(self, app_id: str, content: Content) -> None: ...
    async def publish(self, app_id: str, name: str = "") -> None: ...
    async def delete(self, app_id: str, version_id: str) -> None: ...
    async def secrets(self, app_id: str, version_id: str = "") -> Mapping[str, str]:
        """Plain secret values by id, of a version or of the draft."""
        ...

    async def run(
        self, app_id: str, version_id: str, status: str, *, at: datetime | None = None
    ) -> None:
        """Let somebody run a version, which ends with *status*, at once or at another time."""
        ...

    async def new_app(self, mode: str = "workflow") -> str: ...
    async def save_config(self, app_id: str, config: Content) -> None:
        """Change an app without a workflow; it is live at once."""
        ...

    async def install(self, *needed: Needed) -> None:
        """Let the workspace have these things, and nothing else of their kinds."""
        ...

    async def make_tool(self, app_id: str) -> str:
        """Let other apps call this one as a tool; return the tool's id."""
        ...


TOOL_ID = "5d1c1f4a-2222-4333-8444-555566667777"


@dataclass
class World:
    """A target and the editor of its apps. `app_id` is a fresh app without a draft.

    What a target cannot do is said here, and asserted where the suite meets it.
    """

    target: Target
    editor: Editor
    app_id: str
    draft_secrets_only: bool = False  # no published version's secrets can be read
    token_covers_features: bool = False

    async def publish(self, content: Content, name: str = "") -> str:
        """Save and publish *content* as the editor; return the new live version's id."""
        await self.editor.save(self.app_id, content)
        await self.editor.publish(self.app_id, name)
        live = await self.target.live(self.app_id)
        assert live is not None
        return live.external_id


def without_values(content: Content) -> Document:
    """The document that a target should tell of *content*."""
    return document("workflow", {**content, "rag_pipeline_variables": []}, "test")


class FakeEditor:
    def __init__(self, target: FakeTarget) -> None:
        self._target = target

    async def save(self, app_id: str, content: Content) -> None:
        secrets = {
            variable["id"]: variable["value"]
            for variable in content["environment_variables"]
            if variable["value_type"] == "secret"
        }
        self._target.save_draft(app_id, without_values(content), secrets=secrets)

    async def publish(self, app_id: str, name: str = "") -> None:
        self._target.publish_draft(app_id, name=name)

    async def delete(self, app_id: str, version_id: str) -> None:
        self._target.delete_version(app_id, version_id)

    async def secrets(self, app_id: str, version_id: str = "") -> Mapping[str, str]:
        return self._target.secret_values(app_id, version_id)

    async def run(
        self, app_id: str, version_id: str, status: str, *, at: datetime | None = None
    ) -> None:
        self._target.run(app_id, version_id, status, at=at)

    async def new_app(self, mode: str = "workflow") -> str:
        app_id = f"app-{len(self._target.apps) + 1}"
        self._target.add_app(app_id, mode=mode)
        return app_id

    async def save_config(self, app_id: str, config: Content) -> None:
        self._target.save_config(app_id, config)

    async def install(self, *needed: Needed) -> None:
        self._target.has = set(needed)

    async def make_tool(self, app_id: str) -> str:
        self._target.tool_ids[app_id] = TOOL_ID
        return TOOL_ID


class ConsoleEditor:
    """A browser, as far as the console API can tell: it reads the hash and saves over it."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._base = f"{url.rstrip('/')}/console/api"
        self._headers: dict[str, str] = {}

    async def login(self, email: str, password: str) -> str:
        """Come in as this release wants it; return its version."""
        version = await self._version()
        encoded = password
        if _release(version) >= (1, 11, 2):
            encoded = base64.b64encode(password.encode()).decode()
        body = {"email": email, "password": encoded}
        async with self._http.post(f"{self._base}/login", json=body) as answer:
            assert answer.status == 200
            cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
            tokens = (await answer.json()).get("data", {})
        if tokens:
            self._headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            return version
        self._headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRF-Token": next(v for k, v in cookies.items() if k.endswith("csrf_token")),
        }
        return version

    async def _version(self) -> str:
        async with self._http.get(f"{self._base}/setup") as answer:
            return answer.headers["X-Version"]

    async def save(self, app_id: str, content: Content) -> None:
        draft = await self._call("GET", f"/apps/{app_id}/workflows/draft", ok={200, 400, 404})
        body = {**content, "hash": draft.get("hash")}
        await self._call("POST", f"/apps/{app_id}/workflows/draft", body)

    async def publish(self, app_id: str, name: str = "") -> None:
        body = {"marked_name": name, "marked_comment": ""}
        await self._call("POST", f"/apps/{app_id}/workflows/publish", body)

    async def delete(self, app_id: str, version_id: str) -> None:
        await self._call("DELETE", f"/apps/{app_id}/workflows/{version_id}", ok={204})

    async def secrets(self, app_id: str, version_id: str = "") -> Mapping[str, str]:
        which = f"&workflow_id={version_id}" if version_id else ""
        answer = await self._call("GET", f"/apps/{app_id}/export?include_secret=true{which}")
        variables = yaml.safe_load(answer["data"])["workflow"]["environment_variables"]
        return {v["id"]: v["value"] for v in variables if v["value_type"] == "secret"}

    async def run(
        self, app_id: str, version_id: str, status: str, *, at: datetime | None = None
    ) -> None:
        pytest.skip("what runs on a real server is for people to start")

    async def new_app(self, mode: str = "workflow") -> str:
        body = {
            "name": f"keyturn contract {uuid4().hex[:8]}",
            "mode": mode,
            "icon_type": "emoji",
            "icon": "🤖",
            "icon_background": "#FFEAD5",
        }
        answer = await self._call("POST", "/apps", body, ok={201})
        app_id = answer["id"]
        assert isinstance(app_id, str)
        return app_id

    async def save_config(self, app_id: str, config: Content) -> None:
        now = (await self._call("GET", f"/apps/{app_id}"))["model_config"]
        await self._call("POST", f"/apps/{app_id}/model-config", {**now, **config})

    async def install(self, *needed: Needed) -> None:
        pytest.skip("what a real workspace has is for people to install")

    async def make_tool(self, app_id: str) -> str:
        pytest.skip("who makes a tool is an administrator")

    async def remove_app(self, app_id: str) -> None:
        await self._call("DELETE", f"/apps/{app_id}", ok={204})

    async def _call(
        self, method: str, path: str, body: object = None, *, ok: set[int] | None = None
    ) -> dict[str, Any]:
        async with self._http.request(
            method, self._base + path, json=body, headers=self._headers
        ) as answer:
            assert answer.status in (ok or {200}), f"{method} {path}: {answer.status}"
            if answer.status == 204:
                return {}
            found = await answer.json()
        assert isinstance(found, dict)
        return found


class PlaygroundEditor(ConsoleEditor):
    """Reads secrets behind the API, since some releases give out no version's."""

    state: DifyState

    async def save_config(self, app_id: str, config: Content) -> None:
        """Behind the API, which wants a model provider that is not installed here."""
        self.state.save_model_config(app_id, config)

    async def run(
        self, app_id: str, version_id: str, status: str, *, at: datetime | None = None
    ) -> None:
        """Behind the API: what runs here is nobody's workflow."""
        self.state.run(app_id, version_id, status=status, at=at)

    async def install(self, *needed: Needed) -> None:
        self.state.models = {}
        for one in needed:
            match one.kind:
                case Kind.MODEL:
                    self.state.models.setdefault(one.provider, set()).add(one.name)
                    self.state.model_types[one.provider, one.name] = one.sort
                case Kind.TOOL:
                    self.state.tools.append(_tools(one))
                case Kind.KNOWLEDGE_BASE:
                    self.state.datasets[one.name] = "Help"

    async def make_tool(self, app_id: str) -> str:
        tool = Tools("its name", ("triage",), "workflow", app_id=app_id, id=TOOL_ID)
        self.state.tools.append(tool)
        return tool.id

    async def secrets(self, app_id: str, version_id: str = "") -> Mapping[str, str]:
        app = self.state.app(app_id)
        found = app.workflow(version_id) if version_id else app.draft
        assert found is not None
        return {v.id: v.value for v in found.environment_variables if v.secret}


def _tools(one: Needed) -> Tools:
    """The provider of this one tool, found by id, by name, or as an MCP server."""
    if one.sort == "mcp":
        return Tools("a server", (one.name,), "mcp", identifier=one.provider)
    if one.sort == "builtin":
        return Tools(one.provider, (one.name,))
    return Tools("its name", (one.name,), one.sort, id=one.provider)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))
